/* Replacing leading ride-along fields by given ones. */
#include "codec/ride.h"

#include "codec/key_field.h"

sop_status sopi_ride_replaced(const struct sopi_schema *schema, sop_bytes given, sop_bytes old,
			      size_t *replaced, sop_error *err)
{
	const uint8_t *given_at = given.data;
	const uint8_t *given_end = given_at + given.size;
	const uint8_t *old_at = old.data;
	const uint8_t *old_end = old_at + old.size;

	for (uint32_t i = schema->sort_count; given_at < given_end; i++) {
		if (i == schema->sort_count + schema->ride_count ||
		    sopi_field_scan(&schema->fields[i], &given_at, given_end) != SOPI_FIELD_GOOD)
			return sopi_fail(err, SOP_SCHEMA,
					 "the ride-along fields of the key are malformed; pack them as the store's schema says");
		if (old_at < old_end &&
		    sopi_field_scan(&schema->fields[i], &old_at, old_end) != SOPI_FIELD_GOOD)
			return sopi_fail(err, SOP_CORRUPT, "the stored ride-along fields are malformed");
	}
	*replaced = (size_t)(old_at - (const uint8_t *)old.data);
	return SOP_OK;
}
