// The driver for what the spec composes.
import { trainPairs } from "./gossip.ts";
import { trainSharedAnchor } from "./shared-anchor.ts";
import type { Setting, Trained, Trainers } from "./swarm.ts";
import type { Course } from "./trainer.ts";

/** One lesson: the run of a course, from genesis until its tokens are committed. */
export const train = (course: Course, setting: Setting, trainers: Trainers): Promise<Trained> =>
  (course.spec.rounds.topology === "pairs" ? trainPairs : trainSharedAnchor)(course, setting, trainers);
