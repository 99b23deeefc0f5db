import { PosthasteError } from '@posthaste/contracts'

/** Where a bus stands, for all that must not be done too early or too late. */
export class Standing {
  state: 'created' | 'starting' | 'running' | 'closing' | 'closed' = 'created'

  /**
   * While it closes, running handlers may still publish.
   * @throws ENGINE_CLOSED; FAILED_PRECONDITION before the start
   */
  checkUsable(): void {
    if (this.state === 'closed') throw closed()
    if (this.state !== 'created') return
    throw new PosthasteError('FAILED_PRECONDITION', 'the bus is not started', { remedy: 'Await start first.' })
  }

  get isEnding(): boolean {
    return this.state === 'closing' || this.state === 'closed'
  }

  /** @throws ENGINE_CLOSED */
  checkRegistering(): void {
    if (this.isEnding) throw closed()
  }
}

function closed(): PosthasteError {
  return new PosthasteError('ENGINE_CLOSED', 'the bus is closed')
}
