import { type ServedMethod, service } from '@posthaste/contracts'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { createRpc } from '../rpc/rpc.ts'
import { type Preflight, preflightIssues } from './preflight.ts'

function served(...routes: readonly (string | undefined)[]): readonly ServedMethod[] {
  const rpc = createRpc()
  for (const [at, http] of routes.entries()) {
    rpc.serve(service(`shop.S${at}`, { call: { input: z.any(), output: z.any(), http } }), { call: () => 1 })
  }
  return rpc.served
}

const nothing: Preflight = {
  hasEngine: false,
  hasTransports: true,
  needsEngine: [],
  served: [],
  calledLocally: new Set(),
}

it('finds nothing wrong with an application that does nothing', () => {
  expect(preflightIssues(nothing)).toEqual([])
})

it('finds everything that is wrong at once', () => {
  const app = {
    ...nothing,
    needsEngine: ['on(shop.created)'],
    served: served('GET /a/:id', 'GET /a/:other'),
    calledLocally: new Set(['shop.Gone', 'shop.S0']),
  }
  expect(preflightIssues(app).map(({ path }) => path)).toEqual([
    'on(shop.created)',
    'client(shop.Gone)',
    'serve(shop.S1/call)',
  ])
})

it('lets an engine do what needs one', () => {
  expect(preflightIssues({ ...nothing, hasEngine: true, needsEngine: ['on(shop.created)'] })).toEqual([])
})

it('tells routes apart by method and shape, and minds them only where somebody serves them', () => {
  const twice = served('GET /a', 'GET /a')
  expect(preflightIssues({ ...nothing, served: twice })).toHaveLength(1)
  expect(preflightIssues({ ...nothing, served: twice, hasTransports: false })).toEqual([])
  expect(
    preflightIssues({ ...nothing, served: served('GET /a', 'PUT /a', 'GET /a/:id', undefined, undefined) }),
  ).toEqual([])
})
