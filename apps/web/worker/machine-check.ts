// Tries this machine before it donates: an adapter, an engine for the run in its memory, and its results beside the reference. Nothing is
// trained, and the host hears nothing of it.
//
//   checkMachine -> tell(each step as it goes)
import type { AdapterDescription } from "#engine";
import type { MachineCheck, Problem } from "../window/types.ts";
import { BlockedError } from "./gpu.ts";
import { problems } from "./problems.ts";

export interface CheckOptions {
  readonly findAdapter: () => Promise<AdapterDescription>;
  /** Opens an engine whose results are compared, and closes it. */
  readonly tryEngine: (adapter: AdapterDescription) => Promise<void>;
  readonly tell: (check: MachineCheck) => void;
}

/** Never rejects: what is wrong is told. */
export async function checkMachine({ findAdapter, tryEngine, tell }: CheckOptions): Promise<void> {
  let check: MachineCheck = { adapter: "working", memory: "waiting", results: "waiting", problem: null };
  const set = (change: Partial<MachineCheck>) => {
    check = { ...check, ...change };
    tell(check);
  };
  set({});
  try {
    const adapter = await findAdapter();
    set({ adapter: "passed", memory: "working" });
    await tryEngine(adapter);
    set({ memory: "passed", results: "passed" });
  } catch (error) {
    set(failed(check, error instanceof BlockedError ? error.problem : problems.workerFailed(error)));
  }
}

function failed({ adapter }: MachineCheck, problem: Problem): Partial<MachineCheck> {
  if (adapter !== "passed") return { adapter: "failed", problem };
  if (problem.code === "wrong-results") return { memory: "passed", results: "failed", problem };
  return { memory: "failed", problem };
}
