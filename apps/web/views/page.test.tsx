// The page in every state, as text: what a person reads and what a screen reader is told. Looks are not judged here.
import { renderToString } from "react-dom/server";
import { describe, expect, test } from "vitest";
import { type RunSpec, runDetailSchema } from "#wire";
import type { PauseReason } from "../controls/decide.ts";
import type { Machine } from "../machine.ts";
import { emptyWatcher, idleDonor, type PageSnapshot } from "../page-state.ts";
import type { ProblemCode } from "../window/types.ts";
import { problemTitles } from "../words/problems-en.ts";
import { problems } from "../worker/problems.ts";
import * as fixtures from "./fixtures.ts";
import { volunteer } from "./fixtures-volunteer.ts";
import { Page } from "./page.tsx";

const { actions, donating, page, problem } = fixtures;

const html = (snapshot: PageSnapshot): string => renderToString(<Page page={snapshot} actions={actions} />);
/** What is read: tags gone, React's text separators gone, entities back. */
const textOf = (markup: string): string =>
  markup
    .replaceAll("<!-- -->", "")
    .replace(/<[^>]*>/g, " ")
    .replace(/&#x27;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&")
    .replace(/\s+/g, " ");
const text = (snapshot: PageSnapshot): string => textOf(html(snapshot));
const buttons = (snapshot: PageSnapshot): string[] =>
  [...html(snapshot).matchAll(/<button[^>]*>(.*?)<\/button>/g)].map(([, label]) => textOf(label).trim());

test("the held-out loss is told in units that compare; a host that does not say them leaves them out", () => {
  expect(text(page())).toContain("1.912 2.758 bits a byte, perplexity 6.767");
  const { perplexity, bitsPerByte, ...head } = fixtures.run.head;
  const older = page({ watcher: { ...fixtures.watcher, run: { ...fixtures.run, head } } });
  expect(text(older)).not.toContain("bits a byte");
});

test("the fixture is what the host's schema allows", () => {
  expect(() => runDetailSchema.parse(fixtures.run)).not.toThrow();
  expect(() => runDetailSchema.parse(fixtures.emptyRun)).not.toThrow();
});

describe("before donating", () => {
  test("says what the run is and who answers for it", () => {
    const read = text(page());
    for (const fact of [
      fixtures.spec.name,
      fixtures.spec.purpose,
      fixtures.spec.operator,
      "1.82 million parameters",
      fixtures.spec.data.source,
      "Licence: public domain",
      "Licence: CC0-1.0",
      "3 peers",
    ])
      expect(read).toContain(fact);
  });

  test("says what donating means: GPU, battery, megabytes per hour, the visible address, storage", () => {
    const read = text(page());
    expect(read).toMatch(/GPU and battery/);
    expect(read).toMatch(/About 887 MB sent and 666 MB received per hour with the 3 other peers here, at 30 s a round/);
    expect(read).toContain("Your IP address is visible to the other peers");
    expect(read).toContain("Storage");
  });

  test("says which weights it starts from, under which licence, and what is trained of them", () => {
    expect(text(page())).not.toContain("Starts from");
    const base = { source: "a model of somebody's", licence: "CC-BY-4.0", hash: "ab".repeat(32), blobs: [] };
    const { run, watcher } = fixtures;
    const told = (spec: Partial<RunSpec>) =>
      text(page({ watcher: { ...watcher, run: { ...run, spec: { ...run.spec, base, ...spec } } } }));
    expect(told({})).toContain("Starts from a model of somebody's. Licence: CC-BY-4.0");
    expect(told({ lora: { rank: 8, alpha: 16, targets: ["q", "v"] } })).toContain(
      "It stays as it is: adapters of rank 8 are trained beside its layers q, v",
    );
  });

  test("says how much of the GPU's memory it takes, and refuses what this adapter cannot hold", () => {
    expect(text(page())).toContain(
      "It takes 462 MB of the GPU’s memory, or 23 MB where that is not free, more slowly.",
    );
    const even = { mostBytes: 5e6, leastBytes: 4.9e6, ranks: 1, problem: null };
    expect(text(page({ memory: even }))).toContain("It takes 5 MB of the GPU’s memory.");
    expect(text(page({ memory: null }))).not.toContain("memory");
    const large = { ...even, problem: problems.modelTooLarge("gradient needs 494 MiB in one piece") };
    expect(text(page({ memory: large }))).toContain("Gradient needs 494 MiB in one piece");
    expect(buttons(page({ memory: large }))).toEqual([]);
  });

  test("asks for nothing before it can say what for", () => {
    for (const connection of ["connecting", "retrying", "unknown-run"] as const)
      expect(buttons(page({ watcher: { ...emptyWatcher, connection } }))).toEqual([]);
    expect(text(page({ watcher: emptyWatcher }))).toContain("Asking the host about its run");
  });

  test("says when the hourly amount is not measured", () => {
    expect(text(fixtures.emptyPage)).toMatch(
      /About 111 MB sent and 0 B received per hour while you are alone, if a round takes a minute/,
    );
  });

  test("terms come before the one button, which is named exactly", () => {
    expect(buttons(page())).toEqual(["Donate this GPU"]);
    const markup = html(page());
    expect(markup.indexOf("Your IP address")).toBeLessThan(markup.indexOf("Donate this GPU"));
  });

  test("names the adapter, and a software adapter as such", () => {
    expect(text(page())).toContain("This machine nvidia ada");
    const slow = text(page({ machine: { ...fixtures.machine, adapter: fixtures.software } }));
    expect(slow).toContain("google swiftshader software adapter");
    expect(slow).toContain(problemTitles["software-adapter"]);
  });

  test("a machine without WebGPU gives its processor, and reads so", () => {
    const machine: Machine = { ...fixtures.machine, adapter: fixtures.processor, limits: null };
    const before = page({ machine, memory: null });
    expect(buttons(before)).toEqual(["Donate this processor"]);
    expect(text(before)).toContain("Processor (2 threads, relaxed SIMD) no GPU");
    expect(text(before)).toContain(problemTitles["no-gpu"]);
    expect(text(before)).not.toContain(problemTitles["software-adapter"]);
  });

  test("where the processor was faster than the software adapter, it is what is named", () => {
    const machine: Machine = { ...fixtures.machine, adapter: fixtures.software };
    const read = text(page({ machine, donor: { ...donating, adapter: fixtures.processor } }));
    expect(read).toContain("Your processor");
    expect(read).toContain("Processor (2 threads, relaxed SIMD) no GPU");
    expect(read).not.toContain("software adapter");
  });
});

describe("one button, then pause, resume, stop", () => {
  test.each([
    ["idle", ["Donate this GPU"]],
    ["starting", ["Stop"]],
    ["donating", ["Pause", "Stop"]],
    ["paused", ["Resume", "Stop"]],
    ["stopped", ["Donate this GPU"]],
    ["ended", []],
    ["blocked", ["Try again"]],
  ] as const)("%s", (status, expected) => {
    const donor = { ...donating, status, problem: status === "blocked" ? problem("device-lost") : null };
    expect(buttons(page({ donor }))).toEqual(expected);
  });

  test("what pauses by itself says every reason and goes on by itself; the person's own pause waits for Resume", () => {
    const paused = (...pausedBecause: readonly PauseReason[]) =>
      page({ donor: { ...donating, status: "paused", pausedBecause } });
    const battery = { code: "battery-low", level: 0.12, min: 0.2 } as const;
    const auto = paused(battery, { code: "quiet-hours", untilMinute: 425 });
    expect(text(auto)).toContain("The battery is at 12%, and you keep 20%.");
    expect(text(auto)).toContain("These are your quiet hours. It goes on at 7:05.");
    expect(buttons(auto)).toEqual(["Pause", "Stop"]);
    expect(buttons(paused(battery, { code: "by-hand" }))).toEqual(["Resume", "Stop"]);
  });

  test("how much of the time it trains is the person's choice once it takes part", () => {
    const halved = { ...volunteer, controls: { ...volunteer.controls, duty: 0.5 } };
    const slider = (donor: Partial<typeof donating>) =>
      /<input[^>]*id="duty"[^>]*>/.exec(html(page({ volunteer: halved, donor: { ...donating, ...donor } })))?.[0];
    expect(slider({})).toContain('aria-valuetext="50% of the time"');
    expect(text(page({ volunteer: halved, donor: donating }))).toContain("The GPU rests after each step.");
    expect(slider({ status: "stopped" })).toBeUndefined();
  });

  test("with the host away a donor reads that it waits and that what it trained is kept", () => {
    const away = { ...donating, hostConnected: false, notices: [problems.hostGone("closed")] };
    const trained = text(page({ donor: { ...away, phase: "exchange" } }));
    expect(trained).toContain("trained, and kept here until the host is back");
    expect(trained).toContain("nothing is lost");
    expect(text(page({ donor: { ...away, phase: "waiting" } }))).toContain("Waiting for the host");
    const gone = { ...page().watcher, connection: "retrying" as const };
    expect(text(page({ donor: away, watcher: gone }))).toContain("as last heard of");
    expect(text(page({ donor: donating }))).not.toContain("as last heard of");
  });

  test("a device that takes part of a step sees its share; one that takes all of it reads nothing about that", () => {
    expect(text(page({ donor: { ...donating, windows: 4 } }))).toMatch(/4 of 16\s*sequences per step/);
    expect(text(page({ donor: { ...donating, windows: 16 } }))).not.toContain("sequences per step");
  });

  test("donating shows round, phase, step, own loss and contribution", () => {
    const read = text(page({ donor: donating }));
    expect(read).toContain("Round 41: training, step 19 of 32");
    expect(read).toContain("3,000,000 tokens, 55.8%");
    expect(html(page({ donor: donating }))).toMatch(
      /<progress[^>]*aria-label="Steps of this round"[^>]*max="32" value="19"/,
    );
  });

  test("your part says bytes, an estimate of energy with its basis, and has a card to share", () => {
    const read = text(page({ donor: donating }));
    expect(read).toContain("To and from the host ↑ 76 MB ↓ 22 MB");
    expect(read).toContain(
      "75 Wh to 1.1 kWh in 2.5 h at work, reckoned with 30 to 450 W for devices of this kind: browsers tell no watts",
    );
    expect(read).toContain("A card to share");
    expect(text(page({ donor: { ...donating, peer: null } }))).not.toContain("A card to share"); // nothing counts yet
  });

  test("who hides the address reads that the host alone sees it", () => {
    const hidden = { ...volunteer, controls: { ...volunteer.controls, relayOnly: true } };
    expect(text(page({ volunteer: hidden }))).toContain("Your IP address is visible to the host alone");
    expect(text(page({ volunteer: hidden }))).not.toContain("visible to the other peers");
  });

  test("the live region tells states, not steps", () => {
    const live = (snapshot: PageSnapshot) => /role="status">(.*?)</.exec(html(snapshot))?.[1];
    expect(live(page({ donor: donating }))).toBe("Donating");
    expect(live(page({ donor: { ...donating, step: 20 } }))).toBe("Donating");
    expect(live(page({ donor: { ...donating, hostConnected: false } }))).toBe("Donating; the host does not answer");
    expect(live(page({ donor: { ...donating, status: "paused" } }))).toBe("Paused");
  });

  test.each([
    [{ what: "data", done: 4_200_000, total: 19_200_000 }, "Fetching training text: 4.2 MB of 19.2 MB"],
    [{ what: "kernels", done: 3, total: 17 }, "Compiling kernels: 3 of 17"],
    [{ what: "kernels", done: 0, total: null }, "Compiling kernels"],
    [{ what: "checkpoint", done: 500_000, total: null }, "Fetching the model: 500 kB"],
    [{ what: "catch-up", done: 12, total: 41 }, "Catching up: 12 of 41 rounds"],
    [{ what: "connecting", done: 0, total: null }, "Connecting to the host"],
    [{ what: "measuring", done: 0, total: null }, "Finding out what trains faster here"],
  ] as const)("long work shows how far it is: %j", (task, line) => {
    const snapshot = page({ donor: { ...idleDonor, status: "starting", task } });
    expect(text(snapshot)).toContain(line);
    expect(html(snapshot)).toContain(`<progress class="thread" aria-label="${line}"`);
  });

  test("a second tab is told that it adds nothing", () => {
    expect(text(page({ donor: { ...donating, secondTab: true } }))).toContain("A second tab on one GPU adds nothing");
  });
});

describe("problems", () => {
  test.each([
    [{ state: "insecure", browser: "chromium" }, "insecure-context", "http://localhost"],
    [{ state: "no-webgpu", browser: "firefox" }, "no-webgpu", "Update Firefox"],
    [{ state: "no-webgpu", browser: "safari" }, "no-webgpu", "Safari has WebGPU since version 26"],
    [{ state: "no-webgpu", browser: "chromium" }, "no-webgpu", "chrome://gpu"],
    [{ state: "no-adapter", browser: "other" }, "no-adapter", "hardware acceleration"],
  ] as const)("a machine that cannot: %j", (state, code, remedy) => {
    const machine: Machine = { ...state, adapter: null, limits: null };
    const snapshot = page({ machine });
    expect(text(snapshot)).toContain(problemTitles[code]);
    expect(text(snapshot)).toContain(remedy);
    expect(html(snapshot)).toMatch(/role="alert"/);
    expect(buttons(snapshot)).toEqual([]);
    expect(text(snapshot)).toContain("Watch the run instead");
  });

  test.each([
    "insecure-context",
    "no-webgpu",
    "no-adapter",
    "device-lost",
    "out-of-memory",
    "model-too-large",
    "no-slot",
    "refused",
    "worker-failed",
  ] as const satisfies ProblemCode[])("blocked by %s: an alert with message, remedy and a way to try again", (code) => {
    const snapshot = page({ donor: { ...donating, status: "blocked", problem: problem(code) } });
    const alert = /<div class="problem" role="alert".*?<\/div>/.exec(html(snapshot))?.[0] ?? "";
    expect(textOf(alert)).toContain(problemTitles[code]);
    expect(textOf(alert)).toContain(`What ${code} is.`);
    expect(textOf(alert)).toContain(`What helps against ${code}.`);
  });

  test("a GPU that computes wrongly is refused with a report to pass on", () => {
    const wrong = { ...problem("wrong-results"), report: '{"failed": ["rope"]}' };
    const snapshot = page({ donor: { ...donating, status: "blocked", problem: wrong } });
    expect(buttons(snapshot)).toEqual(["Copy the report", "Try again"]);
    expect(text(snapshot)).toContain('{"failed": ["rope"]}');
    expect(html(snapshot)).toContain('<a href="./?backend=wasm">Donate the processor instead</a>');
    const noSlot = page({ donor: { ...donating, status: "blocked", problem: problem("no-slot") } });
    expect(html(noSlot)).not.toContain("Donate the processor instead");
  });

  test.each(["host-gone", "storage-refused", "storage-full", "software-adapter", "second-tab", "no-links"] as const)(
    "%s is a notice, and donating goes on",
    (code) => {
      const snapshot = page({ donor: { ...donating, notices: [problem(code)] } });
      expect(text(snapshot)).toContain(`${problemTitles[code]}. What ${code} is. What helps against ${code}.`);
      expect(html(snapshot)).not.toContain('role="alert"');
      expect(buttons(snapshot)).toEqual(["Pause", "Stop"]);
    },
  );

  test("a host that is gone is told once: by the donor while it donates, else by the page", () => {
    const gone = { ...fixtures.watcher, connection: "retrying" } as const;
    const once = (snapshot: PageSnapshot) => text(snapshot).split("The host does not answer").length - 1;
    expect(once(page({ watcher: gone }))).toBe(1);
    expect(once(page({ watcher: gone, donor: { ...donating, notices: [problem("host-gone")] } }))).toBe(1);
  });

  test("without the host's first word the page says what was last seen, and what waits", () => {
    const watcher = { ...emptyWatcher, connection: "retrying" as const };
    const lastSeen = { at: 1_795_000_000_000, name: "nano", round: 12, tokens: 98_304, peers: 3, trainLoss: 2.5 };
    const seen = text(page({ watcher, lastSeen }));
    for (const part of ["nano", "Last seen", "12 rounds, 98.3 thousand tokens, 3 peers here, a training loss of 2.50"])
      expect(seen).toContain(part);
    const never = text(page({ watcher }));
    expect(never).toContain("No host answers");
    expect(never).not.toContain("Last seen");
    expect(text(page({ lastSeen }))).not.toContain("Last seen"); // there is something newer
  });

  test("a newer page is offered, and says what loading it means to who donates", () => {
    expect(buttons(page({ newerPage: true, donor: donating }))).toContain("Load it");
    expect(text(page({ newerPage: true, donor: donating }))).toContain("stops that until you press the button again");
    expect(text(page({ newerPage: true }))).not.toContain("stops that");
  });

  test("an unknown run leads to the run that is there", () => {
    const snapshot = page({ runName: "nope", watcher: { ...emptyWatcher, connection: "unknown-run" } });
    expect(text(snapshot)).toContain("The host knows no run “nope”");
    expect(html(snapshot)).toContain('<a href="./">');
  });
});

describe("the run live", () => {
  test("curves, peers, churn and links, in words", () => {
    const read = text(page());
    expect(read).toContain("Loss of the shared model nats per token Training 1.81");
    expect(read).toContain("Held-out text 1.86");
    expect(read).toContain("↑ 1.25 MB/s ↓ 640 kB/s");
    expect(read).toMatch(/Grace .{0,20}crashed connection lost, no bye/);
    expect(read).toMatch(/TURN 122 MB/);
    expect(read).toMatch(/Relayed 1.2 MB/);
    expect(read).toMatch(/Updates by the host 0 B/);
  });

  test("a link that both ends report is one row; rates of either end will do", () => {
    const markup = html(page({ place: "watch" }));
    const rows = /aria-label="Links of the run".*?<tbody>(.*?)<\/tbody>/.exec(markup)?.[1].split("<tr").length ?? 0;
    expect(rows - 1).toBe(2);
    expect(text(page())).toMatch(/through TURN 320 kB\/s 0 B\/s 62 MB 60 MB 23 ms/);
  });

  test.each([
    ["direct", "direct"],
    ["turn", "through TURN"],
    ["relayed", "through the host"],
  ] as const)("a link of the kind %s is named %s", (kind, words) => {
    const links = donating.links.slice(0, 1).map((link) => ({ ...link, kind }));
    const [, table] = /aria-label="Your links"(.*?)<\/table>/.exec(html(page({ donor: { ...donating, links } }))) ?? [];
    expect(textOf(table ?? "")).toContain(` ${words} 610 kB/s`);
  });

  test("a donor sees its own links with its own rates", () => {
    const read = text(page({ donor: donating }));
    expect(read).toMatch(/Your links .* direct 610 kB\/s 320 kB\/s/);
    expect(read).not.toContain("Links between others");
  });

  test("the web says who is in which state", () => {
    expect(html(page())).toContain('aria-label="3 peers: 2 training, 1 offered"');
  });

  test("charts go against tokens when asked", () => {
    expect(html(page({ axis: "tokens" }))).toMatch(/value="tokens"[^>]*checked|checked[^>]*value="tokens"/);
  });

  test("nothing yet: each part says so", () => {
    const read = text(fixtures.emptyPage);
    for (const empty of [
      "No round is committed yet",
      "No speed is measured yet",
      "Nobody has given anything yet",
      "Nobody has come or gone",
      "No links are open",
      "Nobody trains now",
    ])
      expect(read).toContain(empty);
    expect(html(fixtures.emptyPage)).toContain('aria-label="The web is empty: nobody donates"');
  });

  test("/watch shows the run and no button", () => {
    expect(buttons(page({ place: "watch" }))).toEqual([]);
    expect(text(page({ place: "watch" }))).not.toContain("What donating means");
    expect(text(page({ place: "watch" }))).toContain("Contribution");
  });

  test("watching from a tab that donates says that it goes on", () => {
    expect(text(page({ place: "watch", donor: donating }))).toContain("This tab goes on donating");
  });

  test("a stranger's name is text", () => {
    const markup = html(page({ donor: donating }));
    expect(markup).not.toContain("<img src=x");
    expect(textOf(markup)).toContain(fixtures.HOSTILE_NAME);
  });
});

describe("the end", () => {
  const ended = page({
    donor: { ...donating, status: "ended" },
    watcher: { ...fixtures.watcher, run: fixtures.endedRun },
  });

  test("reason, result, credit, download", () => {
    const read = text(ended);
    expect(read).toContain("This run has ended 200,000,000 tokens are committed.");
    expect(read).toContain("Your share 55.8%");
    expect(read).toMatch(/Made by Ada aaaaaa you 55.8%/);
    expect(html(ended)).toContain(`href="https://host.example/api/runs/${fixtures.run.id}/checkpoints/latest"`);
  });

  test("who comes later finds no button", () => {
    expect(buttons({ ...ended, donor: idleDonor })).toEqual([]);
  });
});

describe("structure", () => {
  test.each([
    ["before", page()],
    ["donating", page({ donor: donating })],
    ["watch", page({ place: "watch" })],
    ["connecting", page({ watcher: emptyWatcher })],
  ] as const)("%s: landmarks, one h1, every label points somewhere, no inline script", (_, snapshot) => {
    const markup = html(snapshot);
    for (const landmark of ["<header", "<nav aria-label", '<main id="main"', "<footer"])
      expect(markup).toContain(landmark);
    expect(markup.match(/<h1/g)).toHaveLength(1);
    for (const [, id] of markup.matchAll(/(?:aria-labelledby|for)="([^"]+)"/g)) expect(markup).toContain(`id="${id}"`);
    expect(markup).not.toMatch(/<script|javascript:/);
  });
});

test("who cannot donate sees the run live first, then why and what to do; who can is asked first", () => {
  const machine: Machine = { ...fixtures.machine, state: "no-webgpu", adapter: null, limits: null };
  const cannot = text(page({ machine }));
  expect(cannot.indexOf("Right now")).toBeLessThan(cannot.indexOf(problemTitles["no-webgpu"]));
  expect(cannot.split(problemTitles["no-webgpu"])).toHaveLength(2);
  const processor = text(
    page({ machine: { ...fixtures.machine, adapter: fixtures.processor, limits: null, lacks: "no-webgpu" } }),
  );
  expect(processor.indexOf("Right now")).toBeLessThan(processor.indexOf(problemTitles["no-webgpu"]));
  expect(processor.indexOf(problemTitles["no-webgpu"])).toBeLessThan(processor.indexOf("Donate this processor"));
  const can = text(page());
  expect(can.indexOf("Donate this GPU")).toBeLessThan(can.indexOf("Right now"));
});
