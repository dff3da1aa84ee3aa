/** What a session description may hold; over it an offer is not acceptable. */
export interface DescriptionLimits {
  readonly octets: number;
  readonly lineOctets: number; // a longer line is passed over
  readonly media: number;
  readonly formats: number; // of one m-line
  readonly attributes: number; // of one m-line, and of the session
  readonly candidates: number;
  readonly cryptoLines: number;
}

export const descriptionLimits: DescriptionLimits = {
  octets: 32 * 1024,
  lineOctets: 2 * 1024,
  media: 16,
  formats: 64,
  attributes: 256,
  candidates: 64,
  cryptoLines: 16,
};
