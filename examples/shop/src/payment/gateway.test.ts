import { describe, expect, it } from 'vitest'
import { type Fate, fateOf, simulatedGateway } from './gateway.ts'

const numbers = Array.from({ length: 5_000 }, (_, at) => String(500_000 + at))

function numberWith(fate: Fate): string {
  return numbers.find((number) => fateOf(number).fate === fate)!
}

describe('fateOf', () => {
  it('is the same for an order every time, and deals the shares it says', () => {
    const share = (fate: Fate) => numbers.filter((number) => fateOf(number).fate === fate).length / numbers.length
    expect(share('paid')).toBeCloseTo(0.88, 1)
    expect(share('paid late')).toBeCloseTo(0.08, 1)
    expect(share('declined')).toBeGreaterThan(0)
    expect(share('never answered')).toBeGreaterThan(0)
    expect(numbers.map(fateOf)).toEqual(numbers.map(fateOf))
  })
})

describe('simulatedGateway', () => {
  it('fails as often as fate wants, then takes the money', async () => {
    const orderNo = numberWith('paid late')
    const { failures } = fateOf(orderNo)
    for (let attempt = 1; attempt <= failures; attempt += 1) {
      await expect(simulatedGateway.charge(orderNo, 1, attempt)).rejects.toMatchObject({ verdict: 'retryable' })
    }
    await expect(simulatedGateway.charge(orderNo, 1, failures + 1)).resolves.toBeUndefined()
  })

  it('declines for good', async () => {
    const declined = simulatedGateway.charge(numberWith('declined'), 1, 9)
    await expect(declined).rejects.toMatchObject({ code: 'HANDLER_REJECTED' })
  })

  it('never answers where it never answers', async () => {
    await expect(simulatedGateway.charge(numberWith('never answered'), 1, 99)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
  })
})
