// The NAT lab: two homes behind routers of chosen kinds, and the public network between them, in network namespaces.
//
//   homeA 10.1.0.2 -- natA 203.0.113.11 == line == pub 203.0.113.1 == line == natB 203.0.113.12 -- homeB 10.2.0.2
//
// pub is where a host and a TURN server run; it routes between the routers as the internet does. A line is a plain one, or shaped
// (line.py). Everything is the lab's own: names are fresh, and a guardian process removes them when the lab's owner closes it or dies.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

/**
 * cone: one public port per inner port, whoever is the other end; packets come in only from where some went out.
 * symmetric: another public port for each other end, so that what STUN saw is of no use to a peer.
 * udp-blocked: a cone that lets no UDP through, as some company networks.
 */
export type Nat = "cone" | "symmetric" | "udp-blocked";

export interface Line {
  readonly rateMbit: number; //    each way, of IP packets; 0: no limit
  readonly delayMs: number; //     one way
  readonly lossRatio: number; //   each way, packet by packet
}

export interface Home {
  readonly nat: Nat;
  /** How the home reaches the public network; a plain virtual cable when not given. */
  readonly line?: Line;
}

export type HomeName = "A" | "B";
export type Place = "pub" | "natA" | "natB" | "homeA" | "homeB";
const places: readonly Place[] = ["pub", "natA", "natB", "homeA", "homeB"];

/** Where the host and the TURN server are: an address kept for documentation (RFC 5737), so it is nobody's. */
export const PUBLIC_ADDRESS = "203.0.113.1";
export const TURN_PORT = 3478;
/** What coturn relays for; the host's own UDP (STUN) may lie among them, and is small. */
const RELAY_PORTS = "49152-65535";

/** 20 Mbit/s and 40 ms there and back: what a good home line gives, when it is home A's and B has a plain one. */
export const shapedLine = (lossRatio: number): Line => ({ rateMbit: 20, delayMs: 20, lossRatio });

/** A home router's buffer: 200 ms at the line's rate, then it drops. */
const QUEUE_MS = 200;
/** Python starts in a tenth of it on an idle machine. */
const LINE_START_MS = 20_000;

/** Both e2e/nat and dist/node lie two folders deep: benches that are bundled find these too. */
export const labFolder = (): string => join(import.meta.dirname, "..", "..", "e2e", "nat");

/** Bytes of IP packets that the public network has seen, by the way they took. */
export interface WayBytes {
  readonly betweenHomes: number; //  UDP from router to router
  readonly toTurn: number; //        to the TURN server: its port by UDP and TCP, and the addresses that it relays for
  readonly toHost: number; //        other TCP to the public address
}

export interface LineCounts {
  readonly packets: number;
  readonly bytes: number;
  readonly lost: number; //      by the line's loss
  readonly dropped: number; //   by its full queue
}

interface RunningLine {
  readonly process: ChildProcess;
  readonly output: Interface;
}

const index = (home: HomeName): number => (home === "A" ? 1 : 2);
const routerAddress = (home: HomeName): string => `203.0.113.1${index(home)}`;

function run(command: string, args: readonly string[], input = ""): string {
  return execFileSync(command, [...args], { encoding: "utf8", input, stdio: ["pipe", "pipe", "pipe"] });
}

const natRules: Record<Nat, { readonly masquerade: string; readonly forward: string }> = {
  cone: { masquerade: "masquerade", forward: "" },
  symmetric: { masquerade: "masquerade fully-random", forward: "" },
  "udp-blocked": { masquerade: "masquerade", forward: "meta l4proto udp drop;" },
};

// What comes in unasked is dropped before the router's own stack sees it: conntrack would record it and take its ports, the home's own
// later packet to that peer would get another port, and punching a hole through two cones would fail.
const routerRules = (nat: Nat): string => `
table ip router {
  chain out { type nat hook postrouting priority 100; oifname "wan" ${natRules[nat].masquerade}; }
  chain own { type filter hook input priority 0; policy accept; iifname "wan" ct state new drop; }
  chain through {
    type filter hook forward priority 0; policy drop; ${natRules[nat].forward}
    ct state established,related accept; iifname "lan" oifname "wan" accept;
  }
}`;

const wayRules = `
table ip ways {
  counter betweenHomes {}
  counter toTurn {}
  counter toHost {}
  chain between { type filter hook forward priority 0; meta l4proto udp counter name betweenHomes; }
  chain arriving {
    type filter hook input priority 0;
    meta l4proto { tcp, udp } th dport ${TURN_PORT} counter name toTurn accept;
    udp dport ${RELAY_PORTS} counter name toTurn accept;
    meta l4proto tcp counter name toHost;
  }
}`;

export class Lab {
  /** What the names of its namespaces begin with: fresh for each lab, so that labs can run side by side. */
  readonly name = `gossamer-${randomBytes(3).toString("hex")}`;
  readonly #folder = mkdtempSync(join(tmpdir(), "gossamer-lab-"));
  readonly #guardian: ChildProcess;
  readonly #lineByHome = new Map<HomeName, RunningLine>();

  /** Call `labFault` first (ready.ts): it says what a machine lacks. */
  static async open(homes: Readonly<Record<HomeName, Home>>): Promise<Lab> {
    const lab = new Lab();
    try {
      await lab.#build(homes);
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor() {
    // In a group of its own: Ctrl-C is for the owner alone.
    const args = [join(labFolder(), "guardian.sh"), this.#folder, ...places.map((place) => this.#namespace(place))];
    this.#guardian = spawn("sh", args, { stdio: ["pipe", "ignore", "ignore"], detached: true });
  }

  /** Words that go before a command to run it there. */
  enter(place: Place): readonly string[] {
    return ["ip", "netns", "exec", this.#namespace(place)];
  }

  /** A program that is `browser` in that place, for launchers that take a path. */
  browserIn(place: Place, browser: string): string {
    const path = join(this.#folder, `browser-${place}`);
    writeFileSync(path, `#!/bin/sh\nexec ${this.enter(place).join(" ")} '${browser}' "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** Scratch space that goes with the lab. */
  get folder(): string {
    return this.#folder;
  }

  wayBytes(): WayBytes {
    const text = this.#in("pub", "nft", ["list", "counters", "table", "ip", "ways"]);
    const read = (name: string) => Number(new RegExp(`counter ${name} {[^}]*bytes (\\d+)`).exec(text)?.[1]);
    return { betweenHomes: read("betweenHomes"), toTurn: read("toTurn"), toHost: read("toHost") };
  }

  /** What a home's shaped line did so far; `there` is from the home to the public network. */
  async lineCounts(home: HomeName): Promise<{ readonly there: LineCounts; readonly back: LineCounts }> {
    const line = this.#lineByHome.get(home);
    if (line === undefined) throw new Error(`home ${home} has no shaped line`);
    line.process.stdin?.write("counts\n");
    return JSON.parse(await nextLine(line));
  }

  /** Removes everything; resolves when it is gone. */
  async close(): Promise<void> {
    for (const { process } of this.#lineByHome.values()) process.stdin?.end();
    if (this.#guardian.exitCode !== null || this.#guardian.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#guardian.once("exit", resolve));
    this.#guardian.stdin?.end();
    await gone;
  }

  async #build(homes: Readonly<Record<HomeName, Home>>): Promise<void> {
    for (const place of places) {
      run("ip", ["netns", "add", this.#namespace(place)]);
      this.#ip(place, "link set lo up");
      // Link-local IPv6 candidates would only be tried in vain; a kernel without IPv6 has none to turn off.
      const settings =
        "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/all/disable_ipv6";
      this.#in(place, "sh", ["-c", `${settings}; true`]);
    }
    // A pair of interfaces that leads nowhere carries the public address: on `lo` it would not count as one of the host's.
    this.#ip("pub", "link add public type veth peer name nowhere");
    this.#ip("pub", `addr add ${PUBLIC_ADDRESS}/32 dev public`);
    for (const name of ["public", "nowhere"]) this.#ip("pub", `link set ${name} up`);
    this.#ip("pub", "route add default dev public"); // browsers take the address that leads there for their own
    this.#in("pub", "nft", ["-f", "-"], wayRules);
    for (const home of ["A", "B"] as const) await this.#buildHome(home, homes[home]);
  }

  async #buildHome(home: HomeName, { nat, line }: Home): Promise<void> {
    const [inside, router] = [`home${home}`, `nat${home}`] as const;
    const lan = `10.${index(home)}.0`;
    this.#ip(router, `link add lan type veth peer name eth0 netns ${this.#namespace(inside)}`);
    this.#ip(router, `addr add ${lan}.1/24 dev lan`);
    this.#ip(router, "link set lan up");
    this.#ip(inside, `addr add ${lan}.2/24 dev eth0`);
    this.#ip(inside, "link set eth0 up");
    this.#ip(inside, `route add default via ${lan}.1`);
    if (line === undefined)
      this.#ip(router, `link add wan type veth peer name to${home} netns ${this.#namespace("pub")}`);
    else await this.#startLine(home, line);
    this.#ip(router, `addr add ${routerAddress(home)}/32 dev wan`);
    this.#ip(router, "link set wan up");
    this.#ip(router, `route add ${PUBLIC_ADDRESS} dev wan src ${routerAddress(home)}`);
    this.#ip(router, `route add default via ${PUBLIC_ADDRESS} dev wan onlink`);
    this.#ip("pub", `link set to${home} up`);
    this.#ip("pub", `route add ${routerAddress(home)} dev to${home} src ${PUBLIC_ADDRESS}`);
    this.#in(router, "nft", ["-f", "-"], routerRules(nat));
  }

  async #startLine(home: HomeName, { rateMbit, delayMs, lossRatio }: Line): Promise<void> {
    const ends = [this.#namespace(`nat${home}`), "wan", this.#namespace("pub"), `to${home}`];
    const shape = {
      "rate-mbit": rateMbit,
      "delay-ms": delayMs,
      loss: lossRatio,
      "queue-ms": QUEUE_MS,
      seed: index(home),
    };
    const options = Object.entries(shape).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const process = spawn("python3", [join(labFolder(), "line.py"), ...ends, ...options], {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true, // Ctrl-C is for the owner; the end of its input ends it
    });
    const line = { process, output: createInterface(process.stdout) };
    this.#lineByHome.set(home, line);
    const up = await nextLine(line);
    if (up !== "up") throw new Error(`line.py said "${up}" instead of "up"`);
  }

  #namespace(place: Place): string {
    return `${this.name}-${place}`;
  }

  #ip(place: Place, command: string): void {
    run("ip", ["-n", this.#namespace(place), ...command.split(" ")]);
  }

  #in(place: Place, command: string, args: readonly string[], input = ""): string {
    const [enter, ...words] = this.enter(place);
    return run(enter, [...words, command, ...args], input);
  }
}

function nextLine({ process, output }: RunningLine): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (how: string) => reject(new Error(`the shaped line (line.py) ${how}`));
    const timer = setTimeout(() => failed(`said nothing for ${LINE_START_MS} ms`), LINE_START_MS);
    output.once("line", (text) => {
      clearTimeout(timer);
      resolve(text);
    });
    process.once("exit", (code) => failed(`ended with code ${code}`));
  });
}
