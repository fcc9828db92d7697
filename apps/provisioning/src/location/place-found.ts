import { Latitude, Longitude, type Place } from '#contracts';
import { text } from '#platform';

const Name = text(128);

/** What a provider says of a place, before anything of it is believed. */
export interface FoundPlace {
  country?: unknown;
  state?: unknown;
  latitude?: unknown;
  longitude?: unknown;
}

/** A place with names that can be stored, and with coordinates if both are any; null without a country and a state. */
export function placeFound({ country, state, latitude, longitude }: FoundPlace): Place | null {
  const names = [Name.safeParse(country).data, Name.safeParse(state).data];
  const [countryName, stateName] = names;
  if (countryName === undefined || stateName === undefined) return null;
  const place: Place = { country: countryName, state: stateName };
  const [lat, lon] = [Latitude.safeParse(latitude).data, Longitude.safeParse(longitude).data];
  return lat === undefined || lon === undefined ? place : { ...place, latitude: lat, longitude: lon };
}
