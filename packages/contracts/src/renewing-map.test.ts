import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RenewingMap } from './renewing-map.ts'

test('a renewing map holds what a Map would, in its order', () => {
  const key = fc.nat({ max: 60 })
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), key, value: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: 'max' }), (steps) => {
      const map = new RenewingMap<string, { readonly value: number }>()
      const model = new Map<string, { readonly value: number }>()
      for (const step of steps) {
        const name = `key ${step.key}`
        if (step.kind === 'set') {
          const value = { value: step.value }
          map.set(name, value)
          model.set(name, value)
        } else expect(map.delete(name)).toBe(model.delete(name))
        expect(map.size).toBe(model.size)
        expect(map.get(name)).toBe(model.get(name))
      }
      expect([...map.entries()]).toEqual([...model])
    }),
  )
})

test('a renewing map keeps through any number of others what stays in it', () => {
  const map = new RenewingMap<number, string>()
  map.set(-2, 'first')
  map.set(-1, 'second')
  for (let key = 0; key < 10_000; key++) {
    map.set(key, 'passing')
    if (key >= 20) map.delete(key - 20)
  }
  expect(map.size).toBe(22)
  expect([...map.entries()].slice(0, 3)).toEqual([
    [-2, 'first'],
    [-1, 'second'],
    [9_980, 'passing'],
  ])
})
