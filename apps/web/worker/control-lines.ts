// The lines on which this peer speaks: to the run's host, and to a host elsewhere that only passes signals when the page was built with one.

import type { AdapterDescription } from "#engine";
import { hostDialect, openWebSocket, type RoomWelcome, roomDialect, Signaling, type Welcome } from "#mesh";
import type { HostMessage, IceServers, Identity, PeerMessage, RoomMessage, RunId } from "#wire";
import type { StartConfig } from "./api.ts";
import { SignalRoute } from "./signal-route.ts";

export const scheduler = {
  now: () => performance.now(),
  after(ms: number, run: () => void) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

type Signal = Extract<PeerMessage, { type: "signal" }>;

export interface ControlLinesOptions {
  readonly config: StartConfig;
  readonly identity: Identity;
  readonly slot: number;
  readonly adapter: AdapterDescription;
  readonly name: () => string;
  readonly onWelcome: (welcome: Welcome) => void;
  readonly onMessage: (message: HostMessage) => void;
  /** All servers that the hosts named so far. */
  readonly onIceServers: (servers: RTCIceServer[]) => void;
  readonly onHostGone: (reason: string) => void;
  readonly onRefused: (code: string, message: string) => void;
}

export class ControlLines {
  readonly #host: Signaling<Welcome, HostMessage>;
  readonly #room: Signaling<RoomWelcome, RoomMessage> | undefined;
  readonly #route: SignalRoute | undefined;
  readonly #iceServers: { host: RTCIceServer[]; room: RTCIceServer[] } = { host: [], room: [] };
  #run: RunId;

  constructor(options: ControlLinesOptions) {
    const { config, identity, slot, adapter, name, onIceServers } = options;
    this.#run = config.run;
    const takeServers = (from: "host" | "room", servers: IceServers) => {
      this.#iceServers[from] = servers as RTCIceServer[];
      onIceServers([...this.#iceServers.host, ...this.#iceServers.room]);
    };
    const line = {
      ...{ identity, slot, adapter, name, scheduler, build: config.build, openSocket: openWebSocket },
      run: () => this.#run,
    };
    this.#host = new Signaling({
      ...line,
      url: `${config.hostBase.replace(/^http/, "ws")}/signal`,
      invite: config.invite ?? undefined,
      dialect: hostDialect,
      onOpen: (welcome) => {
        this.#run = welcome.run; // "default" may mean another run after a restart of the host; we stay with this one
        takeServers("host", welcome.iceServers);
        this.#room?.start(); // rooms have runs' ids for names
        options.onWelcome(welcome);
      },
      onMessage: (message) => {
        if (message.type === "ice") takeServers("host", message.iceServers);
        else options.onMessage(message);
      },
      onClosed: options.onHostGone,
      onRefused: options.onRefused,
    });
    if (config.room === null) return;
    const route = new SignalRoute({
      room: (signal) => this.#room?.send(signal) ?? false,
      host: (signal) => void this.#host.send(signal),
      after: scheduler.after,
    });
    this.#route = route;
    this.#room = new Signaling({
      ...line,
      url: config.room,
      dialect: roomDialect,
      onOpen: ({ iceServers, members }) => {
        takeServers("room", iceServers);
        route.entered(members.map(({ peer }) => peer));
      },
      onMessage: (message) => {
        // Who takes part, the run's host says; the room says whom its signals reach.
        if (message.type === "signal") options.onMessage(message);
        else if (message.type === "joined") route.joined(message.member.peer);
        else if (message.type === "left") route.left(message.peer);
        else if (message.type === "ice") takeServers("room", message.iceServers);
      },
      onClosed: (reason) => {
        console.warn("the signaling host is away, signals go through the run's host:", reason);
        route.gone();
      },
      onRefused: (code, message) => {
        console.warn(`the signaling host refuses this peer (${code}): ${message}`);
        route.gone();
      },
    });
  }

  start(): void {
    this.#host.start();
  }

  send(message: PeerMessage): void {
    this.#host.send(message);
  }

  signal(message: Signal): void {
    if (this.#route === undefined) this.#host.send(message);
    else this.#route.send(message);
  }

  nudge(): void {
    this.#host.nudge();
    this.#room?.nudge();
  }

  stop(reason: string): void {
    this.#host.stop(reason);
    this.#room?.stop(reason);
    this.#route?.stop();
  }
}
