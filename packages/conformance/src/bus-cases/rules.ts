import assert from 'node:assert/strict'
import { PosthasteError } from '@posthaste/contracts'
import { notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

/** What follows which error. */
export const busRules: readonly ConformanceCase[] = [
  {
    id: 'bus-rules/decide',
    title:
      'rules decide per error: tried on, ignored, buried at once, or buried elsewhere; the first that matches holds',
    needs: ['delay', 'browsing'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const causes = ['CONFLICT', 'NOT_FOUND', 'UNAVAILABLE', 'PERMISSION_DENIED'] as const
      const bus = await startedBus(context, (each) =>
        each.on(
          Noted,
          {
            group: 'g',
            retry: { immediate: 0, delayed: 1, baseMs: 10 },
            errors: [
              { when: 'CONFLICT', action: 'retry', retry: { immediate: 0, delayed: 3, baseMs: 10 } },
              { when: ['NOT_FOUND'], action: 'ignore' },
              { when: 'UNAVAILABLE', action: 'dead-letter' },
              { when: (error) => error.code === 'PERMISSION_DENIED', action: 'dead-letter', deadLetterTo: 'audit' },
              { when: () => true, action: 'ignore' },
            ],
          },
          (note, handling) => {
            journal.note(note, handling)
            throw new PosthasteError(causes[note.n] ?? 'INTERNAL', 'for the rule')
          },
        ),
      )
      await publishNotes(bus, Noted, notes(causes.length))
      await context.eventually(
        () => bus.stats()[0]?.deadLettered === 3 && bus.stats()[0]?.ignored === 1,
        () => `three dead letters and one that is ignored, saw ${JSON.stringify(bus.stats()[0])}`,
      )
      assert.deepEqual(
        causes.map((_, n) => journal.of(n).length),
        [4, 1, 1, 1],
      )
      const letters = await bus.deadLetters(Noted, { group: 'g' }).browse()
      const apart = await bus.deadLetters(Noted, { group: 'g', target: 'audit' }).browse()
      assert.deepEqual([letters.letters.length, apart.letters.length], [2, 1])
      assert.equal(apart.letters[0]?.code, 'PERMISSION_DENIED')
    },
  },
]
