// The run's curves: what it learns (training and held-out loss), how fast; and this peer's own loss, step by step.
import type { ChartAxis, PageActions, PageSnapshot } from "../page-state.ts";
import type { SeriesPoint } from "../window/types.ts";
import { Chart } from "./chart.tsx";
import { count } from "./format.ts";

const AXES: readonly ChartAxis[] = ["rounds", "tokens"];
const nats = (value: number) => value.toFixed(2);

const along = (points: readonly SeriesPoint[], axis: ChartAxis) =>
  points.map(({ round, tokens, value }) => ({ x: axis === "rounds" ? round : tokens, y: value }));

const AxisChoice = ({ axis, setAxis }: { axis: ChartAxis; setAxis: PageActions["setAxis"] }) => (
  <fieldset className="choice">
    <legend>Against</legend>
    {AXES.map((choice) => (
      <label key={choice}>
        <input type="radio" name="axis" value={choice} checked={axis === choice} onChange={() => setAxis(choice)} />
        {choice}
      </label>
    ))}
  </fieldset>
);

export const Charts = ({ page, actions }: { page: PageSnapshot; actions: PageActions }) => {
  const { watcher, donor, axis } = page;
  const xLabel = axis === "rounds" ? "Round" : "Tokens";
  return (
    <section aria-labelledby="learning" className="charts">
      <header>
        <h2 id="learning">Learning</h2>
        <AxisChoice axis={axis} setAxis={actions.setAxis} />
      </header>
      <div className="chart-grid">
        <Chart
          title="Loss of the shared model"
          unit="nats per token"
          xLabel={xLabel}
          format={nats}
          empty="No round is committed yet. The first point comes with the first commit."
          lines={[
            { label: "Training", points: along(watcher.trainLoss, axis), look: "solid", tone: "dew" },
            { label: "Held-out text", points: along(watcher.evalLoss, axis), look: "dots", tone: "amber" },
          ]}
        />
        <Chart
          title="Speed of the swarm"
          unit="tokens/s"
          xLabel={xLabel}
          format={count}
          empty="No speed is measured yet."
          lines={[{ label: "All peers", points: along(watcher.tokensPerSecond, axis), look: "solid", tone: "plain" }]}
        />
        {donor.status === "idle" ? null : (
          <Chart
            title="Your training loss"
            unit="nats per token"
            xLabel="Step since you started"
            format={nats}
            empty="The first point comes with your first step."
            lines={[
              {
                label: "This device",
                points: donor.lossHistory.map((point) => ({ x: point.step, y: point.loss })),
                look: "solid",
                tone: "dew",
              },
            ]}
          />
        )}
      </div>
    </section>
  );
};
