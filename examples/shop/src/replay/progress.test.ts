import { describe, expect, it } from 'vitest'
import { progressOn } from './progress.ts'

function terminal(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, columns: 60, write: (text: string) => written.push(text), written }
}

describe('progressOn', () => {
  it('draws a bar on a terminal, no wider than it is', () => {
    const out = terminal(true)
    progressOn(out).show(0.5, `posting ${'x'.repeat(200)}`)
    const [drawn = ''] = out.written
    expect(drawn).toContain('█'.repeat(15) + '░'.repeat(15))
    expect(drawn.replace('\r\u001b[K', '')).toHaveLength(59)
  })

  it('puts lines above the bar and the bar back under them', () => {
    const out = terminal(true)
    const progress = progressOn(out)
    progress.show(1, 'posting')
    progress.print('line 7: price is zero')
    expect(out.written.at(-1)).toContain('\r\u001b[Kline 7: price is zero\n█')
    progress.end()
    expect(out.written.at(-1)).toBe('\r\u001b[K')
  })

  it('tells a file about it in plain lines, one for each step', () => {
    const out = terminal(false)
    const progress = progressOn(out)
    for (let done = 0; done <= 1_000; done += 1) progress.show(done / 1_000, `posting ${done}`)
    expect(out.written).toHaveLength(21)
    expect(out.written[10]).toBe(' 50 % posting 500\n')
  })
})
