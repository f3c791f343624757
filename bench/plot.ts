import { HOW_TO_INSTALL, peer } from './peers.js';
import type { Cell, Plot, Scale, Table } from './table.js';

/** A table with a plot. */
export type PlottedTable = Table & { readonly plot: Plot };

export const isPlotted = (table: Table): table is PlottedTable => table.plot !== undefined;

/** Told apart by people who see colours otherwise, too (Okabe and Ito); shapes help where there is none. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'];
const INK = '#24292f';
const PANEL = { width: 330, height: 210 };
const PANELS_IN_A_ROW = 2;

/** As SVG. Undefined: what draws is not installed. */
export async function draw(table: PlottedTable): Promise<string | undefined> {
  const [vega, vegaLite] = [await peer('vega'), await peer('vega-lite')];
  if (!vega || !vegaLite) return undefined;
  const { spec } = vegaLite.compile(specOf(table));
  const view = new vega.View(vega.parse(spec), { renderer: 'none' });
  return `${await view.toSVG()}\n`;
}

export const WITHOUT_PLOTS = `No plots: ${HOW_TO_INSTALL}`;

/** In the language of Vega-Lite. */
function specOf(table: PlottedTable): object {
  const { title, plot } = table;
  return {
    background: 'white',
    padding: 12,
    title: { text: title, anchor: 'start', fontSize: 14, offset: 12 },
    columns: PANELS_IN_A_ROW,
    concat: plot.panels.map((panel) => panelOf(table, panel)),
    config: {
      font: 'Verdana, DejaVu Sans, sans-serif',
      view: { stroke: '#d0d7de' },
      title: { color: INK },
      axis: {
        labelColor: INK,
        titleColor: INK,
        titleFontWeight: 'normal',
        gridColor: '#eaeef2',
        labelFontSize: 11,
        titleFontSize: 12,
      },
      legend: { labelColor: INK, labelFontSize: 12, labelLimit: 400, symbolSize: 70 },
    },
  };
}

function panelOf(table: PlottedTable, { column, scale }: Plot['panels'][number]): object {
  const { plot, rows } = table;
  const at = table.columns.indexOf(column);
  const values = rows.flatMap(({ point, cells }) => {
    const numbers = numbersIn(cells[at]);
    return point && numbers ? [{ ...point, ...numbers }] : [];
  });
  const series = [...new Set(rows.flatMap(({ point }) => point?.series ?? []))];
  const xs = [...new Set(values.map(({ x }) => x))].toSorted((a, b) => a - b);
  const x = {
    field: 'x',
    type: 'quantitative',
    title: plot.x,
    scale: { type: plot.xScale, nice: false, padding: 10 },
    axis: { values: xs, format: ',', labelOverlap: 'greedy', grid: false },
  };
  const y = {
    field: 'median',
    type: 'quantitative',
    title: column,
    scale: { type: scale, nice: true, ...(scale === 'linear' && { zero: true }) },
    axis: axisOf(scale),
  };
  const legend = { title: null, orient: 'top', columns: 2 };
  const domain = { domain: series };
  const colour = {
    field: 'series',
    type: 'nominal',
    scale: { ...domain, range: COLOURS.slice(0, series.length) },
    legend,
  };
  const shape = { ...colour, scale: { ...domain, range: SHAPES.slice(0, series.length) } };
  return {
    ...PANEL,
    data: { values },
    layer: [
      {
        mark: { type: 'rule', opacity: 0.5 },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color: colour },
      },
      { mark: { type: 'line', strokeWidth: 1.6 }, encoding: { x, y, color: colour } },
      {
        mark: { type: 'point', filled: true, opacity: 1, size: 45 },
        encoding: { x, y, color: colour, shape },
      },
    ],
  };
}

/** On a logarithmic axis 1, 2 and 5 of each power of ten, as many of them as there is room for. */
const axisOf = (scale: Scale): object =>
  scale === 'linear'
    ? { format: '~s', tickCount: 6 }
    : { format: '~s', tickCount: 5, labelOverlap: 'greedy' };

/** Median and ends of the middle half. */
function numbersIn(cell: Cell | undefined) {
  if (cell === undefined || typeof cell === 'string') return undefined;
  if (typeof cell === 'number') return { median: cell, low: cell, high: cell };
  return { median: cell.median, low: cell.low, high: cell.high };
}
