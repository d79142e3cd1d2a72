import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { rate } from '../../format';
import { lang } from '../../i18n';
import type { Series } from '../../state/resources';
import { theme } from '../../theme';

export interface NamedSeries extends Series {
  name: string;
}

const COLORS = ['--brand', '--info', '--warning', '--bad'];

/** Steps of an axis of KB/s that are round in KB, MB and GB. */
const RATE_STEPS = [0, 1, 2, 3].flatMap((power) => [1, 2, 5, 10, 20, 50, 100, 200, 500].map((step) => step * 1024 ** power));

/** Values over time as steps: a value lasts until the next one. Numbers of `unit` rate are KB/s. */
export function Plot({ label, series, unit, height = 190 }: { label: string; series: NamedSeries[]; unit?: 'rate'; height?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  // The library comes later than the first values.
  const latest = useRef(series);
  latest.current = series;
  const look = `${series.map((s) => `${s.name} ${s.words?.join() ?? ''}`).join()} ${lang.value} ${theme.value}`;
  useEffect(() => {
    let gone = false;
    let observer: ResizeObserver | null = null;
    void import('uplot').then(({ default: UPlot }) => {
      if (gone || !box.current) return;
      const width = box.current.clientWidth;
      plot.current = new UPlot(options(UPlot, latest.current, unit, { width, height }), align(latest.current), box.current);
      observer = new ResizeObserver(() => plot.current?.setSize({ width: box.current?.clientWidth ?? width, height }));
      observer.observe(box.current);
    });
    return () => {
      gone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [look, unit, height]);
  useEffect(() => plot.current?.setData(align(series)));
  return <div class="plot" ref={box} role="img" aria-label={label} />;
}

/** One axis of time for all series; the last value of each lasts until now. */
function align(series: NamedSeries[]): uPlot.AlignedData {
  const now = Date.now() / 1000;
  const times = [...new Set([...series.flatMap((s) => s.times), now])].sort((a, b) => a - b);
  const values = series.map((s) => {
    let [i, last]: [number, number | null] = [0, null];
    return times.map((time) => {
      while (i < s.times.length && s.times[i]! <= time) last = s.values[i++] ?? null;
      return last;
    });
  });
  return [times, ...values];
}

function options(UPlot: typeof uPlot, series: NamedSeries[], unit: 'rate' | undefined, size: { width: number; height: number }): uPlot.Options {
  const css = getComputedStyle(document.documentElement);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const words = series[0]?.words ?? null;
  const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1 }, font: '12px sans-serif' };
  const name = (v: number) => (words ? (words[v] ?? '') : unit === 'rate' ? rate(v) : String(v));
  const room = words ? Math.min(150, 24 + 7 * Math.max(...words.map((w) => w.length))) : 76;
  return {
    ...size,
    legend: { show: series.length > 1 },
    cursor: { y: false },
    scales: {
      y: { range: words ? [-0.4, words.length - 0.6] : (_u, min, max) => [Math.min(0, min ?? 0), Math.max(1, (max ?? 1) * 1.1)] },
    },
    axes: [
      { ...axis, values: timeLabels() },
      { ...axis, size: room, ...(words ? { splits: () => words.map((_, i) => i) } : {}), ...(unit === 'rate' ? { incrs: RATE_STEPS } : {}), values: (_u, splits) => splits.map(name) },
    ],
    series: [
      { label: '', value: '{HH}:{mm}:{ss}' },
      ...series.map((s, i) => ({
        label: s.name,
        stroke: color(COLORS[i % COLORS.length]!),
        width: 2,
        fill: words ? undefined : `${color(COLORS[i % COLORS.length]!)}18`,
        paths: UPlot.paths.stepped!({ align: 1 }),
        points: { show: s.times.length < 60, size: 6 },
        value: (_u: uPlot, v: number | null) => (v === null ? '' : name(v)),
      })),
    ],
  } as uPlot.Options;
}

/** Times in the way of the language, by 24 hours. */
function timeLabels(): uPlot.Axis.Values {
  const day = '\n{DD}/{MM}';
  return [
    [86_400, '{DD}/{MM}', '\n{YYYY}', null, null, null, null, null, 1],
    [60, '{HH}:{mm}', day, null, day, null, null, null, 1],
    [1, '{HH}:{mm}:{ss}', day, null, day, null, null, null, 1],
  ] as unknown as uPlot.Axis.Values;
}
