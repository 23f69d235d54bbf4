import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphGradientMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  FieldColorBuilder,
  FieldColorModeId,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type DashboardLinkBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import * as heatmaps from '@grafana/grafana-foundation-sdk/heatmap';
import * as stats from '@grafana/grafana-foundation-sdk/stat';
import * as tables from '@grafana/grafana-foundation-sdk/table';
import * as lines from '@grafana/grafana-foundation-sdk/timeseries';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { COLOURS, colour, METRICS } from './style';

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface PanelOptions {
  /** Fixed for good: alerts and links refer to it. */
  readonly id: number;
  readonly title: string;
  /** What it shows, and what to make of it. */
  readonly description: string;
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of the 24 columns of a row. */
  readonly width?: number;
  readonly links?: readonly DashboardLinkBuilder[];
}

const HEIGHT = 8;

export interface TimeseriesOptions extends PanelOptions {
  /** The attribute whose value is the name of each curve. */
  readonly colouredBy?: keyof typeof COLOURS;
  /** Where figures differ by orders of magnitude. */
  readonly log?: boolean;
}

/** Curves over time, with a table of figures as legend. */
export function timeseries(options: TimeseriesOptions): lines.PanelBuilder {
  const panel = new lines.PanelBuilder()
    .id(options.id)
    .title(options.title)
    .description(options.description)
    .datasource(METRICS)
    .unit(options.unit)
    .height(HEIGHT)
    .span(options.width ?? 12)
    .lineWidth(1)
    .fillOpacity(10)
    .gradientMode(GraphGradientMode.Opacity)
    .showPoints(VisibilityMode.Never)
    .spanNulls(false)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .dataLinks([...(options.links ?? [])])
    .targets(targetsOf(options.queries));
  if (options.log)
    panel.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10));
  else panel.min(0);
  if (options.colouredBy !== undefined) {
    for (const [name, value] of Object.entries(COLOURS[options.colouredBy]))
      panel.overrideByName(name, [colour(value)]);
  }
  return panel;
}

export interface StatOptions extends PanelOptions {
  /** Where it turns from the colour of all being well to another. */
  readonly steps: readonly (readonly [from: number, colour: string])[];
  readonly decimals?: number;
}

/** One figure, with the curve that led to it. */
export function stat(options: StatOptions): stats.PanelBuilder {
  const steps = options.steps.map(([value, color]) => ({ value, color }));
  return new stats.PanelBuilder()
    .id(options.id)
    .title(options.title)
    .description(options.description)
    .datasource(METRICS)
    .unit(options.unit)
    .decimals(options.decimals ?? 1)
    .height(4)
    .span(options.width ?? 4)
    .noValue('0')
    .graphMode(BigValueGraphMode.Area)
    .colorMode(BigValueColorMode.Value)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(
      new ThresholdsConfigBuilder()
        .mode(ThresholdsMode.Absolute)
        .steps([{ value: null, color: 'green' }, ...steps]),
    )
    .dataLinks([...(options.links ?? [])])
    .targets(targetsOf(options.queries));
}

/** How observations spread over the buckets of a histogram, over time. */
export function heatmap(options: PanelOptions): heatmaps.PanelBuilder {
  return new heatmaps.PanelBuilder()
    .id(options.id)
    .title(options.title)
    .description(options.description)
    .datasource(METRICS)
    .unit(options.unit)
    .height(HEIGHT)
    .span(options.width ?? 12)
    .calculate(false)
    .color(
      new heatmaps.HeatmapColorOptionsBuilder()
        .mode(heatmaps.HeatmapColorMode.Scheme)
        .scheme('Oranges')
        .exponent(0.5)
        .steps(64),
    )
    .yAxis(new heatmaps.YAxisConfigBuilder().unit(options.unit))
    .cellValues(new heatmaps.CellValuesBuilder().unit('short').decimals(0))
    .tooltip(new heatmaps.HeatmapTooltipBuilder().mode(TooltipDisplayMode.Single).yHistogram(true))
    .exemplarsColor('rgba(255,0,255,0.7)')
    .showLegend()
    .dataLinks([...(options.links ?? [])])
    .targets(options.queries.map((query, index) => target(query, index).format(PromQueryFormat.Heatmap)));
}

/** Rows for the whole time shown, the largest first. */
export function table(
  options: PanelOptions & { columns: Readonly<Record<string, string>> },
): tables.PanelBuilder {
  return new tables.PanelBuilder()
    .id(options.id)
    .title(options.title)
    .description(options.description)
    .datasource(METRICS)
    .unit(options.unit)
    .decimals(0)
    .height(HEIGHT + 2)
    .span(options.width ?? 24)
    .filterable(true)
    .dataLinks([...(options.links ?? [])])
    .targets(
      options.queries.map((query, index) =>
        target(query, index).instant().exemplar(false).format(PromQueryFormat.Table),
      ),
    )
    .withTransformation({
      id: 'organize',
      options: { excludeByName: { Time: true }, renameByName: options.columns },
    })
    .withTransformation({ id: 'sortBy', options: { sort: [{ field: options.columns.Value, desc: true }] } });
}

const targetsOf = (queries: readonly Query[]): DataqueryBuilder[] => queries.map(target);

function target(query: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .datasource(METRICS)
    .expr(query.expr)
    .legendFormat(query.legend)
    .exemplar(true)
    .range();
}
