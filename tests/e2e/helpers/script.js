// SPDX-License-Identifier: BSD-2-Clause
// Runs a list of steps on a WebSocket, in a browser and in node alike, and resolves with what
// came of it: {done, protocol, extensions, close: [code, reason, clean], error}.

function pattern(size) {
	const bytes = new Uint8Array(size);
	for (let i = 0; i < size; i++)
		bytes[i] = (i * 31 + (i >> 8)) & 255;
	return bytes;
}

function sameBytes(a, b) {
	const x = new Uint8Array(a);
	return x.length === b.length && x.every((v, i) => v === b[i]);
}

function runScript(WebSocketClass, url, protocols, steps) {
	const ws = new WebSocketClass(url, protocols);
	const result = { done: 0, error: null };
	const arrived = [];
	let wake = null;
	let closed = null;

	ws.binaryType = 'arraybuffer';
	ws.onmessage = (event) => {
		arrived.push(event.data);
		if (wake)
			wake();
	};
	const message = () => new Promise((resolve, reject) => {
		wake = () => {
			if (arrived.length) {
				wake = null;
				resolve(arrived.shift());
			} else if (closed) {
				reject(new Error('closed with ' + closed));
			}
		};
		wake();
	});
	const ended = new Promise((resolve) => {
		ws.onclose = (event) => {
			closed = [event.code, event.reason, event.wasClean];
			resolve(closed);
			if (wake)
				wake();
		};
	});
	const opened = new Promise((resolve, reject) => {
		ws.onopen = resolve;
		ws.onerror = () => reject(new Error('the connection failed'));
	});
	const check = (ok, what) => {
		if (!ok)
			throw new Error(what + ' came back changed');
	};

	const verbs = {
		async text(step) {
			ws.send(step.value);
			check(await message() === step.value, 'text');
		},
		async long_text(step) {
			const value = step.value.repeat(step.times);
			ws.send(value);
			check(await message() === value, 'long text');
		},
		async binary(step) {
			const value = pattern(step.size);
			ws.send(value);
			check(sameBytes(await message(), value), 'binary');
		},
		async fragments(step) { // node only
			step.parts.forEach((part, i) => ws.send(part, { fin: i === step.parts.length - 1 }));
			check(await message() === step.parts.join(''), 'fragments');
		},
		async ping(step) { // node only
			const pong = new Promise((resolve) => ws.once('pong', resolve));
			ws.ping(step.value);
			check(String(await pong) === step.value, 'ping');
		},
		async close(step) {
			ws.close(step.code, step.reason);
			result.close = await ended;
		},
		async ask_close(step) { // the application closes when told so
			ws.send('close ' + step.code + ' ' + step.reason);
			result.close = await ended;
		},
	};

	return (async () => {
		try {
			await opened;
			result.protocol = ws.protocol;
			result.extensions = ws.extensions;
			for (const step of steps) {
				await verbs[step.do](step);
				result.done++;
			}
		} catch (error) {
			result.error = String(error);
		}
		return result;
	})();
}

if (typeof module !== 'undefined')
	module.exports = { runScript };
