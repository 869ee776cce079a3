// Follows a run through the host's public API for as long as the test lasts, over every restart of the host.
//
//   GET .../events -> entries as they are appended;  after a gap: GET .../log from where it stopped
import { setTimeout as wait } from "node:timers/promises";
import type { LogEntry } from "../../packages/wire/index.ts";
import type { RunRecord } from "./record.ts";

/** Soon enough to time a host's return, seldom enough to cost nothing. */
const RETRY_MS = 50;

/** @returns what ends it */
export function followRun(url: string, record: RunRecord): () => Promise<void> {
  const abort = new AbortController();
  const { signal } = abort;

  async function readLog(): Promise<void> {
    for (;;) {
      const path = `/api/runs/default/log?raw=1&from=${record.nextSeq}&limit=1000`;
      const page = (await (await fetch(url + path, { signal })).json()) as LogEntry[];
      for (const entry of page) record.read(performance.now(), entry);
      if (page.length === 0) return;
    }
  }

  async function listen(): Promise<void> {
    const response = await fetch(`${url}/api/runs/default/events`, { signal });
    await readLog(); // what was appended before this stream began
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const events = (text + decoder.decode(chunk, { stream: true })).split("\n\n");
      text = events.pop() as string;
      for (const event of events) {
        const data = /^event: entry\ndata: (.*)$/.exec(event)?.[1];
        if (data === undefined) continue;
        const entry = JSON.parse(data) as LogEntry;
        record.read(performance.now(), entry);
        if (entry.seq >= record.nextSeq) await readLog();
      }
    }
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      await listen().catch(() => undefined); // the host is down, as it should be now and then
      if (!signal.aborted) await wait(RETRY_MS);
    }
  }

  const done = follow();
  return () => {
    abort.abort();
    return done;
  };
}
