// The methods that a run can name. A new one is a file beside this one, and a line here.
import { co2 } from "./co2.ts";
import { ddp } from "./ddp.ts";
import { diloco } from "./diloco.ts";
import { fedAvg } from "./fedavg.ts";
import { fedAdagrad, fedAdam, fedYogi } from "./fedopt.ts";
import { gradientTracking } from "./gradient-tracking.ts";
import { lateMerge } from "./late-merge.ts";
import { localAdamW } from "./local-adamw.ts";
import type { Method } from "./method.ts";
import { noLoCo } from "./noloco.ts";
import { oneStepDelay } from "./one-step-delay.ts";
import { powerSgd } from "./power-sgd.ts";
import { qsr } from "./qsr.ts";
import { sparseLoCo } from "./sparseloco.ts";
import { streaming } from "./streaming.ts";
import { varianceCorrected } from "./variance-corrected.ts";

export { type Method, withMethod } from "./method.ts";

export const methods: readonly Method[] = [
  ddp,
  fedAvg,
  localAdamW,
  qsr,
  diloco,
  oneStepDelay,
  co2,
  streaming,
  sparseLoCo,
  powerSgd,
  noLoCo,
  lateMerge,
  varianceCorrected,
  gradientTracking,
  fedAdagrad,
  fedAdam,
  fedYogi,
];
