// What each way of telling costs a context's life of two events: while nobody listens, and with one listener.
// The floor is the same life without a word. usage: node --expose-gc bench/hooks.mjs
import { channel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { cpus } from 'node:os';

const sink = { node: undefined, told: 0 };
const listener = (node) => {
  sink.told += node.slot;
};

const slots = { started: undefined, ended: undefined };
const lists = { started: [], ended: [] };
const emitter = new EventEmitter();
const started = channel('curfew.bench.started');
const ended = channel('curfew.bench.ended');
const target = new EventTarget();

/** Each way as a loop of its own, so that no two of them share what the engine learns. */
const ways = {
  floor: {
    run(count) {
      for (let index = 0; index < count; index++) sink.node = { slot: 1, ending: undefined };
    },
    listen: () => {},
  },
  'nullable slots (in use)': {
    run(count) {
      for (let index = 0; index < count; index++) {
        const node = { slot: 1, ending: undefined };
        sink.node = node;
        if (slots.started !== undefined) slots.started(node);
        if (slots.ended !== undefined) slots.ended(node);
      }
    },
    listen() {
      const told = (node) => {
        try {
          listener(node);
        } catch {
          sink.errors = (sink.errors ?? 0) + 1;
        }
      };
      slots.started = told;
      slots.ended = told;
    },
  },
  'lists of listeners': {
    run(count) {
      for (let index = 0; index < count; index++) {
        const node = { slot: 1, ending: undefined };
        sink.node = node;
        for (const told of lists.started) told(node);
        for (const told of lists.ended) told(node);
      }
    },
    listen() {
      lists.started.push(listener);
      lists.ended.push(listener);
    },
  },
  diagnostics_channel: {
    run(count) {
      for (let index = 0; index < count; index++) {
        const node = { slot: 1, ending: undefined };
        sink.node = node;
        if (started.hasSubscribers) started.publish(node);
        if (ended.hasSubscribers) ended.publish(node);
      }
    },
    listen() {
      started.subscribe(listener);
      ended.subscribe(listener);
    },
  },
  EventEmitter: {
    run(count) {
      for (let index = 0; index < count; index++) {
        const node = { slot: 1, ending: undefined };
        sink.node = node;
        emitter.emit('started', node);
        emitter.emit('ended', node);
      }
    },
    listen() {
      emitter.on('started', listener);
      emitter.on('ended', listener);
    },
  },
  EventTarget: {
    run(count) {
      for (let index = 0; index < count; index++) {
        const node = { slot: 1, ending: undefined };
        sink.node = node;
        target.dispatchEvent(new CustomEvent('started', { detail: node }));
        target.dispatchEvent(new CustomEvent('ended', { detail: node }));
      }
    },
    listen() {
      target.addEventListener('started', ({ detail }) => listener(detail));
      target.addEventListener('ended', ({ detail }) => listener(detail));
    },
    slow: true,
  },
};

const brief = process.argv.includes('--brief');

function median(run, slow) {
  const count = (slow === true ? 20_000 : 500_000) / (brief ? 10 : 1);
  for (let warm = 0; warm < 5; warm++) run(count);
  const figures = [];
  for (let round = 0; round < 11; round++) {
    const from = process.hrtime.bigint();
    run(count);
    figures.push(Number(process.hrtime.bigint() - from) / count);
  }
  return figures.sort((a, b) => a - b)[5];
}

const figures = new Map();
for (const [name, { run, slow }] of Object.entries(ways)) figures.set(name, [median(run, slow)]);
for (const [name, { run, listen, slow }] of Object.entries(ways)) {
  listen();
  figures.get(name).push(median(run, slow));
}
console.log(`Node ${process.version}, ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`);
console.log('medians of 11 rounds; ns a life of two events\n');
console.log('| way | nobody listens | one listener |');
console.log('|---|---|---|');
for (const [name, [quiet, heard]] of figures) {
  console.log(`| ${name} | ${quiet.toFixed(1)} | ${heard.toFixed(1)} |`);
}
