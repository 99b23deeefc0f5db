import type { AppSnapshot } from 'posthaste'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { boardOf, changesBetween } from './board.ts'
import { rowsOf } from './rows.ts'
import { viewOf } from './view.ts'

interface Standing {
  readonly state: string
  readonly waiting?: number
}

/** An application whose client and consumer have a breaker each. */
function snapshot({ state, waiting = 0 }: Standing): AppSnapshot {
  const breaker = { role: 'breaker', state, calls: 20, failures: 5, openings: 1, rejected: 3 }
  const chaos = { role: 'chaos', latencies: 3, errors: 2, aborts: 1 }
  const fallback = { role: 'fallback', answeredByFunction: 4 }
  const timeout = { role: 'timeout', timedOut: 0, tooLate: 0 }
  const bulkhead = { role: 'bulkhead', running: 4, waiting, refused: 0 }
  return {
    methods: [
      { side: 'server', target: 'shop.Orders/getOrder', filters: [breaker] },
      { side: 'client', target: 'shop.Inventory/checkStock', filters: [breaker, timeout, fallback, chaos] },
    ],
    subscriptions: [{ channel: 'shop.order.created', group: 'points', filters: [bulkhead, chaos] }],
  } as unknown as AppSnapshot
}

describe('the board', () => {
  it('has a line for each breaker, budget and limit between the services', () => {
    expect(boardOf(snapshot({ state: 'closed' }))).toEqual([
      'chaos: 3 late, 2 refused, 1 answers lost',
      'shop.Inventory/checkStock  breaker   closed  5 of 20 failed, opened 1 ×, refused 3',
      '                           fallback  ready   4 answered',
      'shop.order.created@points  bulkhead  open    4 under way, 0 waiting, refused 0',
    ])
  })

  it('shows what a budget and a rate have left, and what a fallback answered', () => {
    const filters = [
      { role: 'retry', retried: 3, recovered: 2, budget: 9.7 },
      { role: 'retry', retried: 3, recovered: 2, budget: 0.3 },
      { role: 'retry', retried: 3, recovered: 2, budget: false },
      { role: 'rateLimit', allowed: 5, refused: 1, remaining: 0 },
      { role: 'fallback', answeredByFunction: 4 },
      { role: 'concurrencyLimit', limit: 20, inFlight: 3, refused: 1 },
    ]
    const methods = [{ side: 'client' as const, target: 'x/y', filters }]
    const [row] = rowsOf({ methods, subscriptions: [] })
    expect(row?.cells).toEqual([
      { role: 'retry', state: 'budget left', figures: '3 repeated, 2 saved, budget 9' },
      { role: 'retry', state: 'budget spent', figures: '3 repeated, 2 saved, budget 0' },
      { role: 'rateLimit', state: 'spent', figures: '5 allowed, 0 left, refused 1' },
      { role: 'fallback', state: 'ready', figures: '4 answered' },
      { role: 'concurrencyLimit', state: 'at most 20', figures: '3 under way, refused 1' },
    ])
  })
})

describe('changes', () => {
  it('are told of once, where a state is another', () => {
    const [before, after] = [snapshot({ state: 'closed' }), snapshot({ state: 'open', waiting: 2 })]
    expect(changesBetween(before, after)).toEqual([
      'shop.Inventory/checkStock breaker: closed → open (5 of 20 failed, opened 1 ×, refused 3)',
      'shop.order.created@points bulkhead: open → full (4 under way, 2 waiting, refused 0)',
    ])
    expect(changesBetween(after, after)).toEqual([])
  })
})

describe('the view', () => {
  let written = ''
  let now = snapshot({ state: 'closed' })
  const app = { snapshot: () => now }
  const out = (isTTY: boolean) => ({
    isTTY,
    columns: 60,
    write(text: string) {
      written += text
    },
  })
  beforeEach(() => {
    vi.useFakeTimers()
    written = ''
    now = snapshot({ state: 'closed' })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('redraws a board in place on a terminal, once a second, below what is printed', () => {
    const view = viewOf(app, { out: out(true) })
    view.show(0.5, 'posting')
    expect(written).toBe('')
    vi.advanceTimersByTime(1_000)
    expect(written).toContain(' 50 % posting\u001b[K\nchaos: 3 late')
    written = ''
    vi.advanceTimersByTime(1_000)
    expect(written.startsWith('\u001b[5A\r\u001b[J')).toBe(true)
    written = ''
    view.print('line 7: bad')
    expect(written).toBe('\u001b[5A\r\u001b[Jline 7: bad\n')
    view.end()
    written = ''
    vi.advanceTimersByTime(5_000)
    expect(written).toBe('')
  })

  it('cuts lines to the width of the terminal', () => {
    const view = viewOf(app, { out: out(true) })
    vi.advanceTimersByTime(1_000)
    for (const line of written.split('\n')) expect(line.replaceAll('\u001b[K', '').length).toBeLessThan(60)
    view.end()
  })

  it('writes a line per change elsewhere, passes progress on, and ends once', () => {
    const shown: string[] = []
    const progress = {
      show: (share: number, text: string) => void shown.push(`${share} ${text}`),
      print: (line: string) => void shown.push(line),
      end: () => void shown.push('end'),
    }
    const view = viewOf(app, { out: out(false), progress })
    view.show(0.5, 'posting')
    view.print('bad')
    vi.advanceTimersByTime(3_000)
    expect(written).toBe('')
    now = snapshot({ state: 'open' })
    vi.advanceTimersByTime(3_000)
    expect(written).toBe('shop.Inventory/checkStock breaker: closed → open (5 of 20 failed, opened 1 ×, refused 3)\n')
    view.end()
    view.end()
    expect(shown).toEqual(['0.5 posting', 'bad', 'end'])
    expect(written).toContain('chaos: 3 late, 2 refused, 1 answers lost\n')
  })
})
