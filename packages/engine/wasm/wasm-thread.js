// One thread of the engine on WASM: runs programs, its share of every phase. Plain JavaScript without imports, so that a browser's worker and
// Node's (which runs no TypeScript) load the same file.
//
//   {start: {module, memory?, pages, control, index, threads, scratch, programs}}      -> {ready: true}
//   {id, commands: [{write, data} | {clear, bytes} | {run}], reads: [{at, bytes}]}     -> {id, values} from thread 0, after all threads ran
//
// Thread 0 alone writes, clears and reads; the others are sent the runs. With more than one thread, memory is shared and holds three words:
const ARRIVED = 0; //    threads that wait at the barrier
const GENERATION = 1; // barriers passed
const NEXT = 2; //       the next task of this phase that nobody took

/**
 * Looks at the barrier before a thread sleeps, some 50 us. A thread that sleeps at once is often woken on the core of the one that wakes it, and
 * both stay there: with 200 looks two threads were as slow as one in half of the runs (Linux, two cores, Node 20, November 2026).
 */
const SPINS = 20_000;

const port = globalThis.process?.getBuiltinModule?.("node:worker_threads")?.parentPort ?? globalThis;

let memory;
let control;
let index = 0;
let threads = 1;
let programs = {};

async function start(given) {
  index = given.index;
  threads = given.threads;
  memory = given.memory ?? new WebAssembly.Memory({ initial: given.pages, maximum: given.pages });
  control = new Int32Array(memory.buffer, given.control, 3);
  const { exports } = await WebAssembly.instantiate(given.module, { env: { memory, log: Math.log } });
  exports.scratch.value = given.scratch;
  const bind = ({ kernel, tasks, args }) => ({ call: exports[kernel], tasks, args });
  programs = Object.fromEntries(
    Object.entries(given.programs).map(([name, phases]) => [name, phases.map((ops) => ops.map(bind))]),
  );
}

/** Waits for all threads. The last one to arrive opens the next phase. */
function barrier() {
  if (threads === 1) return;
  const generation = Atomics.load(control, GENERATION);
  if (Atomics.add(control, ARRIVED, 1) === threads - 1) {
    Atomics.store(control, ARRIVED, 0);
    Atomics.store(control, NEXT, 0);
    Atomics.add(control, GENERATION, 1);
    Atomics.notify(control, GENERATION);
    return;
  }
  for (let i = 0; i < SPINS; i++) if (Atomics.load(control, GENERATION) !== generation) return;
  while (Atomics.load(control, GENERATION) === generation) Atomics.wait(control, GENERATION, generation);
}

function runPhase(ops) {
  let own = 0;
  let op = 0;
  let before = 0; // tasks of the ops before this one
  for (;;) {
    const task = threads === 1 ? own++ : Atomics.add(control, NEXT, 1);
    while (op < ops.length && task >= before + ops[op].tasks) before += ops[op++].tasks;
    if (op === ops.length) return;
    ops[op].call(task - before, ...ops[op].args);
  }
}

function run(name) {
  barrier(); // thread 0 has written
  for (const ops of programs[name]) {
    runPhase(ops);
    barrier();
  }
}

function execute({ id, commands, reads }) {
  for (const { run: name, write, data, clear, bytes } of commands) {
    if (name !== undefined) run(name);
    else if (write !== undefined) new Uint8Array(memory.buffer, write, data.byteLength).set(new Uint8Array(data));
    else new Uint8Array(memory.buffer, clear, bytes).fill(0);
  }
  if (index > 0) return;
  const values = reads.map(({ at, bytes }) => new Uint8Array(memory.buffer, at, bytes).slice().buffer);
  port.postMessage({ id, values }, values);
}

port.onmessage = async ({ data }) => {
  try {
    if (data.start) {
      await start(data.start);
      port.postMessage({ ready: true });
    } else execute(data);
  } catch (error) {
    port.postMessage({ error: { name: error?.name ?? "Error", message: String(error?.message ?? error) } });
  }
};
