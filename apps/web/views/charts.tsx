// The run's curves: what it learns (training and held-out loss), how fast, with how many; and this peer's own loss, step by step.
import { memo } from "react";
import type { Series } from "#wire";
import type { ChartAxis, PageActions } from "../page-state.ts";
import type { DonorSnapshot, SeriesPoint, WatcherSnapshot } from "../window/types.ts";
import { useWords } from "../words/index.ts";
import { Chart, type ChartLine } from "./chart.tsx";
import { shownOf } from "./moment.ts";

const AXES: readonly ChartAxis[] = ["rounds", "tokens", "time"];

const along = (points: readonly SeriesPoint[], axis: ChartAxis, roundMax: number) =>
  points
    .filter(({ round }) => round <= roundMax)
    .map(({ round, tokens, time, value }) => ({
      x: axis === "rounds" ? round : axis === "tokens" ? tokens : time / 1000,
      y: value,
    }));

const AxisChoice = ({ axis, setAxis }: { axis: ChartAxis; setAxis: PageActions["setAxis"] }) => {
  const { charts } = useWords();
  return (
    <fieldset className="choice">
      <legend>{charts.against}</legend>
      {AXES.map((choice) => (
        <label key={choice}>
          <input type="radio" name="axis" value={choice} checked={axis === choice} onChange={() => setAxis(choice)} />
          {charts.axes[choice]}
        </label>
      ))}
    </fieldset>
  );
};

interface CurveProps {
  readonly watcher: WatcherSnapshot;
  readonly axis: ChartAxis;
}

/** Drawn anew when its own points, the axis or the moment change, and not with everything else. */
const same = (before: CurveProps & { lines: readonly Line[] }, now: CurveProps & { lines: readonly Line[] }): boolean =>
  before.axis === now.axis &&
  before.watcher.run?.id === now.watcher.run?.id &&
  before.watcher.moment?.round === now.watcher.moment?.round &&
  now.lines.every(({ metric, label }, i) => {
    const was = before.lines[i];
    return was?.label === label && before.watcher[metric] === now.watcher[metric];
  });

interface Line extends Omit<ChartLine, "points"> {
  readonly metric: Exclude<Series["metric"], never> & keyof WatcherSnapshot;
}

interface CurvesProps extends CurveProps {
  readonly title: string;
  readonly unit: string;
  readonly empty: string;
  readonly format: (value: number) => string;
  readonly lines: readonly Line[];
}

/** Series of the run: what is drawn is what the links below it give. */
const Curves = memo(({ watcher, axis, lines, ...rest }: CurvesProps) => {
  const { charts } = useWords();
  const { run, hostBase } = watcher;
  const roundMax = shownOf(watcher)?.round ?? Number.POSITIVE_INFINITY;
  const source = (metric: string, format: string) =>
    `${hostBase}/api/runs/${run?.id}/series?metric=${metric}&points=2000${format}`;
  return (
    <Chart
      {...rest}
      xLabel={charts.axisLabels[axis]}
      time={axis === "time"}
      lines={lines.map(({ metric, ...line }) => ({ ...line, points: along(watcher[metric], axis, roundMax) }))}
      downloads={lines.flatMap(({ metric, label }) => [
        { href: source(metric, "&format=csv"), name: charts.csv(label), file: `${metric}.csv` },
        { href: source(metric, ""), name: charts.json(label), file: `${metric}.json` },
      ])}
    />
  );
}, same);

export const LossChart = (props: CurveProps) => {
  const { charts, format } = useWords();
  return (
    <Curves
      {...props}
      title={charts.loss}
      unit={charts.natsPerToken}
      format={format.nats}
      empty={charts.lossEmpty}
      lines={[
        { label: charts.training, metric: "trainLoss", look: "solid", tone: "dew" },
        { label: charts.heldOut, metric: "evalLoss", look: "dots", tone: "amber" },
      ]}
    />
  );
};

const SpeedChart = (props: CurveProps) => {
  const { charts, format } = useWords();
  return (
    <Curves
      {...props}
      title={charts.speed}
      unit={charts.tokensPerSecond}
      format={format.count}
      empty={charts.speedEmpty}
      lines={[{ label: charts.allPeers, metric: "tokensPerSecond", look: "solid", tone: "plain" }]}
    />
  );
};

/** Comings and goings in numbers: who was asked to take part, and whose updates counted. */
export const PeersChart = (props: CurveProps) => {
  const { charts, format } = useWords();
  return (
    <Curves
      {...props}
      title={charts.peers}
      unit={charts.perRound}
      format={format.count}
      empty={charts.peersEmpty}
      lines={[
        { label: charts.roster, metric: "roster", look: "solid", tone: "plain" },
        { label: charts.contributors, metric: "contributors", look: "dots", tone: "dew" },
      ]}
    />
  );
};

const RoundTimeChart = (props: CurveProps) => {
  const { charts, format } = useWords();
  return (
    <Curves
      {...props}
      title={charts.roundTime}
      unit={charts.fromOpenToSeal}
      format={format.duration}
      empty={charts.speedEmpty}
      lines={[{ label: charts.perRound, metric: "roundMs", look: "solid", tone: "plain" }]}
    />
  );
};

export const UpdateBytesChart = (props: CurveProps) => {
  const { charts, format } = useWords();
  return (
    <Curves
      {...props}
      title={charts.updateBytes}
      unit={charts.perRound}
      format={format.bytes}
      empty={charts.lossEmpty}
      lines={[{ label: charts.allContributors, metric: "updateBytes", look: "solid", tone: "plain" }]}
    />
  );
};

/** Step by step, as this device measures it; it is nowhere else, so its download is made here. */
const OwnLoss = memo(({ history }: { history: DonorSnapshot["lossHistory"] }) => {
  const { charts, format } = useWords();
  return (
    <Chart
      title={charts.ownLoss}
      unit={charts.natsPerToken}
      xLabel={charts.ownSteps}
      format={format.nats}
      empty={charts.ownEmpty}
      time={false}
      downloads={[]}
      lines={[
        {
          label: charts.thisDevice,
          points: history.map((point) => ({ x: point.step, y: point.loss })),
          look: "solid",
          tone: "dew",
        },
      ]}
    />
  );
});

interface ChartsProps {
  readonly watcher: WatcherSnapshot;
  readonly donor: DonorSnapshot;
  readonly axis: ChartAxis;
  readonly setAxis: PageActions["setAxis"];
}

export const Charts = ({ watcher, donor, axis, setAxis }: ChartsProps) => {
  const { charts } = useWords();
  return (
    <section aria-labelledby="learning" className="charts">
      <header>
        <h2 id="learning">{charts.title}</h2>
        <AxisChoice axis={axis} setAxis={setAxis} />
      </header>
      <div className="chart-grid">
        <LossChart watcher={watcher} axis={axis} />
        <SpeedChart watcher={watcher} axis={axis} />
        <PeersChart watcher={watcher} axis={axis} />
        <RoundTimeChart watcher={watcher} axis={axis} />
        {donor.status === "idle" ? null : <OwnLoss history={donor.lossHistory} />}
      </div>
    </section>
  );
};
