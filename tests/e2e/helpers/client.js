// SPDX-License-Identifier: BSD-2-Clause
// node client.js URL PROTOCOLS STEPS: runs the steps with `ws` and prints the result as JSON.
const WebSocket = require('ws');
const { runScript } = require('./script.js');

const [url, protocols, steps] = process.argv.slice(2);
runScript(WebSocket, url, JSON.parse(protocols), JSON.parse(steps)).then((result) => {
	console.log(JSON.stringify(result));
	process.exit(0);
});
