import { type FaultKind, faultKinds } from '../faults/plan.ts'
import type { FaultDocument, FaultRow } from '../faults/report.ts'

/** What the kept runs with faults found, engine by engine: what was lost and repeated, and how long each recovery took. */
export function faultsText(runs: readonly FaultDocument[]): string {
  if (runs.length === 0) return 'No run is kept.'
  const figure = (name: string, of: (run: FaultDocument) => string) => row([name, ...runs.map(of)])
  return [
    row(['figure', ...runs.map(({ engine, serverVersion = '' }) => `${engine} ${serverVersion}`.trim())]),
    row(['---', ...runs.map(() => '---')]),
    figure('confirmed', ({ confirmed }) => count(confirmed)),
    figure('**lost**', ({ lost }) => `**${count(lost)}**`),
    figure('out of order, first deliveries of a key', ({ orderViolations }) => count(orderViolations)),
    figure('attempts that went back', ({ attemptsReset }) => count(attemptsReset)),
    figure('attempts that came again, unsettled', ({ attemptsRepeated }) => count(attemptsRepeated)),
    figure('with one member twice at once', ({ twiceAtOnce }) => count(twiceAtOnce)),
    figure('handled again', ({ duplicates }) => count(duplicates)),
    figure('of these, published again for want of an answer', ({ republished }) => count(republished)),
    ...faultKinds.map((kind) =>
      figure(titles[kind], ({ faults }) => recoveryText(faults.filter((each) => each.kind === kind))),
    ),
  ].join('\n')
}

const titles: Readonly<Record<FaultKind, string>> = {
  cut: 'connections cut',
  refuse: 'connections cut, and refused for a while',
  delay: 'a slow network',
  'half-close': 'connections half closed',
  'black-hole': 'bytes swallowed for a while',
  stall: 'server stopped for a while (`SIGSTOP`)',
  kill: 'server killed (`SIGKILL`) and started again',
  restart: 'server restarted in order',
  crash: 'a member vanished, another came',
}

/** The longest of several recoveries: to the first delivery and to full flow, from the end of the fault. */
function recoveryText(faults: readonly FaultRow[]): string {
  if (faults.length === 0) return 'not run'
  const longest = (of: (fault: FaultRow) => number | null): string => {
    const times = faults.map(of)
    return times.includes(null) ? 'never' : `${count(Math.max(...times.map(Number)))} ms`
  }
  return `${longest(({ firstMs }) => firstMs)} / ${longest(({ fullMs }) => fullMs)}`
}

const count = (value: number): string => value.toLocaleString('en-US')

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
