/**
 * Turns data into bytes and back, for one content type. Codecs keep no state that shows and may be shared by contracts;
 * both directions are synchronous, since they run once per message.
 */
export interface Codec {
  /** Media type without parameters, in lower case: `application/json`. What it writes is marked so, what is marked so it reads. */
  readonly contentType: string
  /** Names the schema that it writes with, as the CloudEvents attribute `dataschema`; for formats that need the writer's. */
  readonly dataSchema?: string | undefined
  /** @throws PAYLOAD_INVALID when the value cannot be written in this format */
  encode(value: unknown): Uint8Array
  /**
   * @param dataSchema the `dataschema` of the message, where it has one
   * @throws BODY_MALFORMED when the bytes are not of this format
   */
  decode(body: Uint8Array, dataSchema?: string): unknown
}
