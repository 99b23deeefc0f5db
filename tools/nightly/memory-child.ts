import process from 'node:process'
import { createCall, filterDeps } from 'posthaste/pipeline'
import { breakers } from 'posthaste/resilience'
import type { KeysCase, KeysFigures } from './memory.ts'

const { keys, keysMax, windowCalls } = JSON.parse(process.argv[2] ?? '{}') as KeysCase
const filter = breakers({ keysMax, breaker: { windowCalls } }, filterDeps())

// The first calls bring code and caches, which are not what keys leave.
call(-1)
const beforeMb = usedMb()
for (let key = 0; key < keys; key++) call(key)
const leftMb = usedMb() - beforeMb
const { keys: circuits, freshKeys } = filter.snapshot() as unknown as { keys: number; freshKeys: number }
const figures: KeysFigures = { leftMb, known: circuits + freshKeys }
process.stdout.write(JSON.stringify(figures))

function call(key: number): void {
  const target = `shop.Inventory/checkStock@10.${key >> 16}.${(key >> 8) & 255}.${key & 255}:8080`
  filter.apply(createCall({ kind: 'request', target, id: '1', payload: undefined }), () => undefined)
}

function usedMb(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / 1e6
}
