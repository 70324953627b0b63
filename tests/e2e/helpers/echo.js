// SPDX-License-Identifier: BSD-2-Clause
// An echo server on `ws`. Prints its port, then a JSON line [code, reason] for each close.
// "close CODE REASON" makes it close; it takes the subprotocol `chat`.
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({
	host: '127.0.0.1',
	port: 0,
	maxPayload: 64 * 1024 * 1024,
	perMessageDeflate: true,
	handleProtocols: (offered) => (offered.has('chat') ? 'chat' : false),
});
server.on('listening', () => console.log(server.address().port));
server.on('connection', (ws) => {
	ws.on('message', (data, isBinary) => {
		const ask = isBinary ? null : /^close (\d+) (.*)$/.exec(data.toString());
		if (ask)
			ws.close(Number(ask[1]), ask[2]);
		else
			ws.send(data, { binary: isBinary });
	});
	ws.on('close', (code, reason) => console.log(JSON.stringify([code, reason.toString()])));
	ws.on('error', () => {});
});
