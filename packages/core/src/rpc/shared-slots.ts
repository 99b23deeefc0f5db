import type { StackSlot } from '../pipeline/stack.ts'

/**
 * The slots of a service's methods, with one filter for all of them in the roles that are named: made with the first method,
 * in front of the whole service.
 */
export function sharedSlots<O>(
  slots: readonly StackSlot<O>[],
  roles: ReadonlySet<string>,
  service: string,
): readonly StackSlot<O>[] {
  return slots.map((slot) => (roles.has(slot.role) ? madeOnce(slot, service) : slot))
}

function madeOnce<O>(slot: StackSlot<O>, target: string): StackSlot<O> {
  let made: { readonly filter: ReturnType<typeof slot.create> } | undefined
  return {
    ...slot,
    create(options, deps) {
      made ??= { filter: slot.create(options, { ...deps, target }) }
      return made.filter
    },
  }
}
