import { type DeliveryTag, type MaybePromise, type Outcome, PosthasteError } from '@posthaste/contracts'

/** The outcome of a settlement of a batch that the engine does not answer. */
export interface OwnAnswer {
  readonly at: number
  readonly answer: MaybePromise<Outcome>
}

/** One outcome for each settlement of a batch: those in `own` where they stand, and the engine's for the others, in order. */
export async function merged(
  count: number,
  answered: Promise<readonly Outcome[]>,
  own: readonly OwnAnswer[],
): Promise<readonly Outcome[]> {
  let missing = unanswered
  const caught = answered.catch((thrown: unknown): readonly Outcome[] => {
    missing = failure(PosthasteError.from(thrown, 'UNAVAILABLE', 'the engine could not settle'))
    return []
  })
  const [raw, ...answers] = await Promise.all([caught, ...own.map(({ answer }) => answer)])
  const outcomes = new Map(own.map(({ at }, index) => [at, answers[index]!]))
  let next = 0
  return Array.from({ length: count }, (_, at) => outcomes.get(at) ?? raw[next++] ?? missing)
}

/** What a settlement is told of a delivery that is settled already, or with somebody else. */
export function lostDelivery(tag: DeliveryTag): Outcome {
  return failure(new PosthasteError('DELIVERY_LOST', `delivery ${tag} is settled or not ours any more`))
}

function failure(error: PosthasteError): Outcome {
  return { ok: false, error }
}

const unanswered = failure(new PosthasteError('UNAVAILABLE', 'the engine answered fewer settlements than it was given'))
