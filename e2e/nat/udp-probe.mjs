// Plain UDP over a lab's path: what the line itself gives, to set beside what a link makes of it. Runs inside a namespace.
//
//   node udp-probe.mjs sink                                   prints its port; echoes "ping"; counts the rest; "count" is answered with the counts
//   node udp-probe.mjs source ADDRESS PORT MBIT SECONDS       sends at that rate, counted as IP packets; prints {rttMs, sent, received, mbit}
import { createSocket } from "node:dgram";
import { setPriority } from "node:os";
import { performance } from "node:perf_hooks";

const HEADER_BYTES = 28; //     IPv4 and UDP
const PAYLOAD_BYTES = 1200; //  what WebRTC fills a packet with
const PINGS = 9;
/** After the last packet: longer than any queue of the lab plus its delay. */
const SETTLE_MS = 1_000;

/** Room for what arrives while this process waits for a core. */
const RECEIVE_BUFFER_BYTES = 4 * 2 ** 20;

const socket = createSocket({ type: "udp4", recvBufferSize: RECEIVE_BUFFER_BYTES });

function sink() {
  let packets = 0;
  let first = 0;
  let last = 0;
  socket.on("message", (data, from) => {
    const text = data.length < 16 ? data.toString() : "";
    if (text === "ping") return socket.send(data, from.port, from.address);
    if (text === "count")
      return socket.send(JSON.stringify({ packets, overMs: last - first }), from.port, from.address);
    last = performance.now();
    if (packets++ === 0) first = last;
  });
  socket.bind(0, () => console.log(String(socket.address().port)));
}

/** The next answer, or undefined when none comes in time: lines lose packets. */
const answer = () =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), 500);
    socket.once("message", (data) => {
      clearTimeout(timer);
      resolve(data.toString());
    });
  });

async function ask(text, address, port) {
  for (let i = 0; i < 20; i++) {
    socket.send(text, port, address);
    const got = await answer();
    if (got !== undefined) return got;
  }
  throw new Error(`${address}:${port} does not answer`);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function source(address, port, mbit, seconds) {
  const rtts = [];
  while (rtts.length < PINGS) {
    const at = performance.now();
    socket.send("ping", port, address);
    if ((await answer()) !== undefined) rtts.push(performance.now() - at);
  }
  const payload = Buffer.alloc(PAYLOAD_BYTES);
  const perMs = (mbit * 1e3) / (8 * (PAYLOAD_BYTES + HEADER_BYTES));
  const start = performance.now();
  let sent = 0;
  for (let now = start; now - start < seconds * 1e3; now = performance.now()) {
    for (const due = (now - start) * perMs; sent < due; sent++) socket.send(payload, port, address);
    await pause(1);
  }
  await pause(SETTLE_MS);
  const { packets, overMs } = JSON.parse(await ask("count", address, port));
  const mbitReceived = overMs === 0 ? 0 : ((packets - 1) * PAYLOAD_BYTES * 8) / (overMs * 1e3);
  const rttMs = Math.min(...rtts); // what is more than the least is the machine's, not the line's
  console.log(JSON.stringify({ rttMs, sent, received: packets, mbit: mbitReceived }));
  socket.close();
}

setPriority(-15); // the yardstick does not depend on how busy the machine is
const [mode, address, port, mbit, seconds] = process.argv.slice(2);
if (mode === "sink") sink();
else await source(address, Number(port), Number(mbit), Number(seconds));
