// One chart: a figure with its newest value in words, a drawing, and its last values as a table. uPlot is loaded when there is
// something to draw; the words and the table need no script library and no eyes.
import { useEffect, useRef, useState } from "react";
import type uPlot from "uplot";
import { useWords } from "../words/index.ts";

export interface ChartLine {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Lines differ by stroke and by dash; "dots" marks single measurements. */
  readonly look: "solid" | "dots";
  readonly tone: "dew" | "amber" | "plain";
}

/** How whole numbers are written along the x axis. */
interface Ticks {
  readonly tick: (value: number) => string;
}

export interface ChartProps {
  /** x is seconds since 1970. */
  readonly time: boolean;
  readonly downloads: readonly { readonly href: string; readonly name: string; readonly file: string }[];
  readonly title: string;
  readonly unit: string;
  readonly xLabel: string;
  readonly lines: readonly ChartLine[];
  readonly empty: string;
  readonly format: (value: number) => string;
}

const TABLE_ROWS = 10;
const HEIGHT_PX = 220;

/** uPlot wants one list of x and one list per line, null where a line has no value. */
export function aligned(lines: readonly ChartLine[]): [number[], ...(number | null)[][]] {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  return [
    xs,
    ...lines.map(({ points }) => {
      const yByX = new Map(points.map(({ x, y }) => [x, y]));
      return xs.map((x) => yByX.get(x) ?? null);
    }),
  ];
}

/** Closer than this dots run together into a band: then the dashes alone tell the line. */
const DOTS_APART_PX = 9;

/** A line of one point would be invisible. */
export function hasDots(
  look: ChartLine["look"],
  values: readonly (number | null | undefined)[],
  widthPx: number,
): boolean {
  const points = values.filter((y) => y != null).length;
  return points === 1 || (look === "dots" && points * DOTS_APART_PX <= widthPx);
}

const properties = new Map<string, string>();
/** Asked for with every stroke, and the same until the colours change: for each of them the browser would look over the whole page's styles. */
function property(name: string): string {
  const known = properties.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  properties.set(name, known);
  return known;
}
const toneOf = { dew: "--dew", amber: "--amber", plain: "--ink-soft" } as const;

function options({ lines, xLabel, format, tick, time }: ChartProps & Ticks, width: number): uPlot.Options {
  const axis = {
    stroke: () => property("--ink-soft"),
    grid: { stroke: () => property("--hair"), width: 1 },
    ticks: { show: false },
    font: `12px ${property("--sans")}`,
    labelFont: `12px ${property("--sans")}`,
    labelSize: 16,
  };
  return {
    width,
    height: HEIGHT_PX,
    padding: [8, 12, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    scales: { x: { time } },
    axes: [
      {
        ...axis,
        label: xLabel,
        size: 30,
        // uPlot knows days and hours itself
        ...(time ? { space: 70 } : { incrs: WHOLE_STEPS, values: (_: uPlot, ticks: number[]) => ticks.map(tick) }),
      },
      { ...axis, size: 48, values: (_, ticks) => ticks.map(format) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: () => property(toneOf[line.tone]),
        width: line.look === "solid" ? 1.5 : 1,
        spanGaps: true,
        points: {
          show: ({ data, width }: uPlot, i: number) => hasDots(line.look, Array.from(data[i]), width),
          size: 6,
          fill: () => property(toneOf[line.tone]),
        },
        ...(line.look === "dots" ? { dash: [3, 4] } : {}),
      })),
    ],
  };
}

/** Rounds, steps and tokens are whole: 1, 2, 5, 10, ... up to 10^15. */
const WHOLE_STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

let lastFrame: Promise<unknown> = Promise.resolve();
/** Each caller gets a frame after the one before: several plots built in one would hold up a click's answer. */
const ownFrame = (): Promise<unknown> => {
  lastFrame = lastFrame.then(() => new Promise(requestAnimationFrame));
  return lastFrame;
};

/** Draws into the box, follows its width and the colour scheme; new data is set on the same plot. What draws may not be fetched, or not start. */
function usePlot(props: ChartProps & Ticks, failed: () => void) {
  const box = useRef<HTMLDivElement>(null);
  const newest = useRef(props);
  const plot = useRef<uPlot | null>(null);
  newest.current = props;
  const shape = props.lines.map(({ label, look }) => `${label}/${look}`).join() + props.xLabel + props.unit;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot is built anew when its lines change, and fed by the effect below
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let closed = false;
    const resized = new ResizeObserver(([entry]) => {
      plot.current?.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT_PX });
    });
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => {
      properties.clear();
      plot.current?.redraw(false);
    };
    const loaded = Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css"), ownFrame()]);
    const draw = ([{ default: Plot }]: Awaited<typeof loaded>) => {
      if (closed) return;
      plot.current = new Plot(options(newest.current, element.clientWidth), aligned(newest.current.lines), element);
      resized.observe(element);
      scheme.addEventListener("change", redraw);
    };
    loaded.then(draw).catch(failed);
    return () => {
      closed = true;
      resized.disconnect();
      scheme.removeEventListener("change", redraw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(aligned(props.lines)), [props.lines]);
  return box;
}

const Drawing = (props: ChartProps) => {
  const { charts, format } = useWords();
  const [fails, setFails] = useState(false);
  const box = usePlot({ ...props, tick: format.tick }, () => setFails(true));
  return fails ? (
    <p className="empty" role="status">
      {charts.notDrawn}
    </p>
  ) : (
    <div ref={box} className="plot" aria-hidden="true" />
  );
};

const Newest = ({ line, format }: { line: ChartLine; format: ChartProps["format"] }) => {
  const newest = line.points.at(-1);
  if (!newest) return null;
  return (
    <span className="newest" data-tone={line.tone} data-look={line.look}>
      <span className="stroke" aria-hidden="true" />
      {line.label} <strong>{format(newest.y)}</strong>
    </span>
  );
};

export const Chart = (props: ChartProps) => {
  const { title, lines, empty, format, unit, xLabel, time, downloads } = props;
  const words = useWords();
  const drawn = lines.filter(({ points }) => points.length > 0);
  return (
    <figure className="chart">
      <figcaption>
        <h3>
          {title} <small>{unit}</small>
        </h3>
        {drawn.map((line) => (
          <Newest key={line.label} line={line} format={format} />
        ))}
      </figcaption>
      {drawn.length === 0 ? (
        <p className="empty">{empty}</p>
      ) : (
        <>
          <Drawing {...props} lines={drawn} />
          <details>
            <summary>{words.charts.table}</summary>
            {drawn.map((line) => (
              <table key={line.label}>
                <caption>{line.label}</caption>
                <thead>
                  <tr>
                    <th scope="col">{xLabel}</th>
                    <th scope="col">{unit}</th>
                  </tr>
                </thead>
                <tbody>
                  {line.points
                    .slice(-TABLE_ROWS)
                    .reverse()
                    .map(({ x, y }) => (
                      <tr key={x}>
                        <td>{time ? words.format.dateAndTime(1000 * x) : words.format.count(x)}</td>
                        <td>{format(y)}</td>
                      </tr>
                    ))}
                </tbody>
              </table>
            ))}
            {downloads.length === 0 ? null : (
              <p className="chart-files">
                {downloads.map(({ href, name, file }) => (
                  <a key={href} href={href} download={file}>
                    {name}
                  </a>
                ))}
              </p>
            )}
          </details>
        </>
      )}
    </figure>
  );
};
