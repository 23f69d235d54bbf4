// The two ways to call, under the active context. `onHead` hears of the head of the answer; the promise resolves when
// the call is over, however it ends. Why it failed is for its span to say.
'use strict';
const http = require('node:http');

function viaRequest(url, options, onHead) {
  return new Promise((over) => {
    const request = http.request(url, { ...options, agent: false }, (response) => {
      response.on('error', () => undefined);
      response.once('close', over);
      response.resume();
      onHead();
    });
    request.on('error', () => undefined);
    request.once('close', () => request.res ?? over());
    request.end();
  });
}

async function viaFetch(url, options, onHead) {
  try {
    const response = await fetch(url, options);
    onHead();
    await response.text();
  } catch {
    // As above.
  }
}

exports.CALLS = { 'http.request': viaRequest, fetch: viaFetch };
