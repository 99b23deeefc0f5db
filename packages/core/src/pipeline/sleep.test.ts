import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../testing/manual-clock.ts'
import { cancelSource, neverCancelled } from './cancellation.ts'
import { sleep } from './sleep.ts'
import { timerWheel } from './timer-wheel.ts'

const gone = new PosthasteError('CANCELLED', 'gone')

describe('sleep', () => {
  it('resolves when the time is over and not before', async () => {
    const clock = manualClock()
    let awake = false
    void sleep(100, timerWheel(clock), neverCancelled).then(() => {
      awake = true
    })
    await clock.advance(99)
    expect(awake).toBe(false)
    await clock.advance(11)
    expect(awake).toBe(true)
  })

  it('ends at once with the reason when the work is cancelled, and takes its timer back', async () => {
    const source = cancelSource()
    let set = 0
    const timers = {
      close: () => {},
      set() {
        set++
        return { cancel: () => void set-- }
      },
    }
    const sleeping = sleep(1_000, timers, source.token)
    expect(set).toBe(1)
    source.cancel(gone)
    await expect(sleeping).rejects.toBe(gone)
    expect(set).toBe(0)
  })

  it('does not begin when the work is cancelled already', async () => {
    const clock = manualClock()
    const source = cancelSource()
    source.cancel(gone)
    await expect(sleep(1_000, timerWheel(clock), source.token)).rejects.toBe(gone)
    expect(clock.pending()).toBe(0)
  })
})
