/** Names a service; the type parameter is what it does. Compare by identity. */
export interface ServiceToken<T> {
  readonly name: string;
  readonly kind?: T; // never set: carries the type
}
export const token = <T>(name: string): ServiceToken<T> => ({ name });
