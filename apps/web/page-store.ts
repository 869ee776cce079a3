// Joins the stores of donor, watcher and machine into the one snapshot that the page draws. The donor's code (links, worker, engine)
// is loaded when the button is pressed; who only watches never loads it.
import type { MemoryLimits } from "#engine";
import type { Controls } from "./controls/settings.ts";
import type { Machine } from "./machine.ts";
import type { MemoryNeed } from "./memory-need.ts";
import { emptyWatcher, idleDonor, type PageActions, type PageSnapshot, type Place } from "./page-state.ts";
import { isOutdated } from "./window/earlier.ts";
import type { Donor, SnapshotStore, Volunteer, Watcher, WatcherSnapshot } from "./window/types.ts";
import { en } from "./words/en.ts";
import type { Words } from "./words/index.ts";
import type { Language } from "./words/language.ts";
import { problems } from "./worker/problems.ts";

export interface PagePorts {
  /** Opens what this browser keeps; rejects when the code cannot be fetched. */
  loadVolunteer(): Promise<Volunteer>;
  /** Loads the donor's code and makes the donor; rejects when the code cannot be fetched. */
  loadDonor(volunteer: Volunteer): Promise<Donor>;
  /** What the run takes of an adapter with such limits; no answer where the planner's code cannot be fetched. */
  memoryNeed(limits: MemoryLimits): Promise<MemoryNeed>;
  /** After everything was forgotten: loads the page as a stranger's, which says so. */
  beginAnew(): void;
  /** Whether the host serves another page than this one; asked when it is heard again. */
  hostHasAnotherPage(): Promise<boolean>;
  /** This page was opened through a service worker: it may be a kept one, so the host is asked when it is first heard. */
  readonly mayBeKept: boolean;
  /** Loads the host's page: by hand always, by itself once. @returns false when that was tried and did not help */
  changePage(byHand: boolean): boolean;
  /** Puts the place into the address bar. */
  navigate(place: Place): void;
  /** Puts a round of the past into the address bar, so that it can be passed on; null: live. */
  nameRound(round: number | null): void;
  /** Loads the page's texts in that language; rejects when they cannot be fetched. */
  loadWords(language: Language): Promise<Words>;
  /** The words are there: the document says so, and this browser keeps the choice. */
  speaks(language: Language): void;
}

export class PageStore implements SnapshotStore<PageSnapshot>, PageActions {
  #snapshot: PageSnapshot;
  readonly #listeners = new Set<() => void>();
  readonly #ports: PagePorts;
  #volunteer: Promise<Volunteer> | null = null;
  #donor: Promise<Donor> | null = null;
  #memoryAsked = false;
  #watcher: Partial<Watcher> | undefined;
  #languageAsked: symbol | undefined;

  constructor(
    ports: PagePorts,
    start: Pick<PageSnapshot, "place" | "runName" | "machine"> &
      Partial<Pick<PageSnapshot, "words" | "kiosk" | "forgotten" | "earlier" | "lastSeen">>,
  ) {
    this.#ports = ports;
    this.#snapshot = {
      words: en,
      forgotten: false,
      earlier: null,
      lastSeen: null,
      newerPage: false,
      kiosk: false,
      ...start,
      axis: "rounds",
      memory: null,
      volunteer: null,
      donor: idleDonor,
      watcher: emptyWatcher,
      tried: null,
    };
  }

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  };
  readonly getSnapshot = (): PageSnapshot => this.#snapshot;

  #set(change: Partial<PageSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }

  readonly machineProbed = (machine: Machine): void => {
    this.#set({ machine });
    this.#askForMemory();
  };
  readonly placed = (place: Place): void => {
    this.#set({ place });
    this.#askForMemory();
    this.open();
  };
  readonly setAxis = (axis: PageSnapshot["axis"]): void => this.#set({ axis });
  /** The last choice counts, however long each takes to load. What cannot be fetched leaves the page as it is. */
  readonly speak = (language: Language): void => {
    const asked = Symbol();
    this.#languageAsked = asked;
    this.#ports.loadWords(language).then(
      (words) => {
        if (this.#languageAsked !== asked) return;
        this.#ports.speaks(language);
        this.#set({ words });
      },
      () => {},
    );
  };
  watch(watcher: SnapshotStore<WatcherSnapshot> & Partial<Watcher>): void {
    this.#watcher = watcher;
    const update = () => {
      const before = this.#snapshot.watcher;
      const now = watcher.getSnapshot();
      this.#set({ watcher: now });
      if (now.connection === "live" && before.connection !== "live") this.#askForPage(before.connection === "retrying");
      // A replay names the round where it stops.
      const moved = now.momentAsked !== before.momentAsked || before.roundsPerSecond > 0;
      if (moved && now.roundsPerSecond === 0) this.#ports.nameRound(now.momentAsked);
      this.#askForMemory();
    };
    watcher.subscribe(update);
    update();
  }

  /** Once, where one may donate, when run and adapter are known. Without an answer the page just does not say: an engine that does not fit says so itself. */
  #askForMemory(): void {
    const { machine, place, watcher } = this.#snapshot;
    if (this.#memoryAsked || place !== "donate" || machine.limits === null || watcher.run === null) return;
    this.#memoryAsked = true;
    void this.#ports.memoryNeed(machine.limits).then((memory) => this.#set({ memory }));
  }

  /** A host that is heard again may have been replaced by a newer one, whose page this is not. Nobody is interrupted who donates. */
  #askForPage(wasAway: boolean): void {
    if (!wasAway && !this.#ports.mayBeKept) return;
    void this.#ports.hostHasAnotherPage().then((another) => {
      if (!another) return;
      const { status } = this.#snapshot.donor;
      const busy = status === "starting" || status === "donating" || status === "paused";
      if (busy || !this.#ports.changePage(false)) this.#set({ newerPage: true });
    });
  }

  /** This page cannot go on with its host. If the host has another one it is loaded, and donates; else the person reads why. */
  #replacePage(): void {
    void this.#ports.hostHasAnotherPage().then((another) => another && this.#ports.changePage(false));
  }

  readonly loadNewerPage = (): void => void this.#ports.changePage(true);

  /** Where one may donate, what this browser keeps is shown. Without its code the button says what is wrong. */
  open(): void {
    if (this.#snapshot.place === "donate") this.#openVolunteer().catch(() => {});
  }

  #openVolunteer(): Promise<Volunteer> {
    this.#volunteer ??= this.#ports.loadVolunteer().then(
      (volunteer) => {
        const update = () => this.#set({ volunteer: volunteer.getSnapshot() });
        volunteer.subscribe(update);
        update();
        return volunteer;
      },
      (error: unknown) => {
        this.#volunteer = null;
        throw error;
      },
    );
    return this.#volunteer;
  }

  readonly allow = (change: Partial<Controls>): void => this.#withVolunteer((volunteer) => volunteer.allow(change));
  readonly rename = (name: string): void => this.#withVolunteer((volunteer) => volunteer.rename(name));
  readonly allowNetwork = (): void => this.#withVolunteer((volunteer) => volunteer.allowNetwork());

  readonly exportKey = (passphrase: string): void =>
    this.#withVolunteer((volunteer) => volunteer.exportKey(passphrase));
  readonly importKey = (text: string, passphrase: string): void =>
    this.#withVolunteer((volunteer) => volunteer.importKey(text, passphrase));
  readonly measureStorage = (): void => this.#withVolunteer((volunteer) => volunteer.measureStorage());
  readonly forget = (): void => {
    const done = (async () => {
      await (await this.#donor)?.end();
      await (await this.#openVolunteer()).forget();
      this.#ports.beginAnew();
    })();
    done.catch((error: unknown) => {
      const donor = this.#snapshot.donor;
      this.#set({ donor: { ...donor, notices: [...donor.notices, problems.notForgotten(error)] } });
    });
  };

  #withVolunteer(act: (volunteer: Volunteer) => void): void {
    this.#openVolunteer().then(act, () => {});
  }

  readonly go = (place: Place): void => {
    this.#ports.navigate(place);
    this.placed(place);
  };
  readonly check = (): void => {
    const { run } = this.#snapshot.watcher;
    if (run !== null) this.#withDonor((donor) => donor.check(run.spec));
  };
  readonly showRound = (round: number | null): void => this.#watcher?.showRound?.(round);
  readonly play = (roundsPerSecond: number): void => this.#watcher?.play?.(roundsPerSecond);
  readonly wantPeers = (from: number): void => this.#watcher?.wantPeers?.(from);
  readonly donate = (): void => this.#withDonor((donor) => donor.donate());
  /** Before this page was loaded the person had pressed Pause, which still holds. */
  readonly stayPaused = (): void => this.#withDonor((donor) => donor.donate(true));
  readonly pause = (): void => this.#withDonor((donor) => donor.pause());
  readonly resume = (): void => this.#withDonor((donor) => donor.resume());
  readonly stop = (): void => this.#withDonor((donor) => donor.stop());

  #withDonor(act: (donor: Donor) => void): void {
    this.#donor ??= this.#openVolunteer()
      .then((volunteer) => this.#ports.loadDonor(volunteer))
      .then((donor) => {
        donor.subscribe(() => {
          const before = this.#snapshot.donor;
          const now = donor.getSnapshot();
          this.#set({ donor: now });
          if (isOutdated(now) && !isOutdated(before)) this.#replacePage();
        });
        this.#set({ donor: donor.getSnapshot() });
        return donor;
      });
    this.#donor.then(act, (error: unknown) => {
      this.#donor = null;
      this.#set({
        donor: { ...idleDonor, status: "blocked", problem: problems.codeNotLoaded(error) },
      });
    });
  }
}
