// The run's curves: what it learns (training and held-out loss), how fast; and this peer's own loss, step by step.
import type { ChartAxis, PageActions, PageSnapshot } from "../page-state.ts";
import type { SeriesPoint } from "../window/types.ts";
import { useWords } from "../words/index.ts";
import { Chart } from "./chart.tsx";

const AXES: readonly ChartAxis[] = ["rounds", "tokens"];

const along = (points: readonly SeriesPoint[], axis: ChartAxis) =>
  points.map(({ round, tokens, value }) => ({ x: axis === "rounds" ? round : tokens, y: value }));

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

export const Charts = ({ page, actions }: { page: PageSnapshot; actions: PageActions }) => {
  const { charts, format } = useWords();
  const { watcher, donor, axis } = page;
  const xLabel = axis === "rounds" ? charts.round : charts.tokens;
  return (
    <section aria-labelledby="learning" className="charts">
      <header>
        <h2 id="learning">{charts.title}</h2>
        <AxisChoice axis={axis} setAxis={actions.setAxis} />
      </header>
      <div className="chart-grid">
        <Chart
          title={charts.loss}
          unit={charts.natsPerToken}
          xLabel={xLabel}
          format={format.nats}
          empty={charts.lossEmpty}
          lines={[
            { label: charts.training, points: along(watcher.trainLoss, axis), look: "solid", tone: "dew" },
            { label: charts.heldOut, points: along(watcher.evalLoss, axis), look: "dots", tone: "amber" },
          ]}
        />
        <Chart
          title={charts.speed}
          unit={charts.tokensPerSecond}
          xLabel={xLabel}
          format={format.count}
          empty={charts.speedEmpty}
          lines={[
            { label: charts.allPeers, points: along(watcher.tokensPerSecond, axis), look: "solid", tone: "plain" },
          ]}
        />
        {donor.status === "idle" ? null : (
          <Chart
            title={charts.ownLoss}
            unit={charts.natsPerToken}
            xLabel={charts.ownSteps}
            format={format.nats}
            empty={charts.ownEmpty}
            lines={[
              {
                label: charts.thisDevice,
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
