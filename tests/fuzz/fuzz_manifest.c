/* Any bytes as a manifest with a right head and checksum: refused, or the bytes that what they say is written as. */
#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "registry/manifest.h"

#include <stdlib.h>
#include <string.h>

enum { AT_FORMAT = 4, AT_LENGTH = 8, AT_CRC = 16, AT_ZERO = 20, HEAD_BYTES = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sopi_manifest manifest;
	sop_error err = SOP_ERROR_INIT;
	sop_buf again = SOP_BUF_INIT;
	uint8_t *bytes = NULL;
	sop_bytes view;

	if (size < HEAD_BYTES)
		return 0;
	bytes = malloc(size);
	SOPI_CHECK(bytes != NULL);
	memcpy(bytes, data, size);
	memcpy(bytes, "SOPm", 4);
	sopi_store_u32le(bytes + AT_FORMAT, SOPI_MANIFEST_FORMAT);
	sopi_store_u64le(bytes + AT_LENGTH, size);
	sopi_store_u32le(bytes + AT_ZERO, 0);
	sopi_store_u32le(bytes + AT_CRC, sopi_crc32c(sopi_crc32c(0, bytes, AT_CRC),
						     bytes + AT_CRC + 4, size - AT_CRC - 4));
	view.data = bytes;
	view.size = size;
	if (sopi_manifest_decode(view, "M", &manifest, &err) == SOP_OK) {
		SOPI_CHECK(sopi_manifest_encode(&manifest, &again, &err) == SOP_OK);
		SOPI_CHECK(again.size == size && memcmp(again.data, bytes, size) == 0);
		sop_buf_free(&again);
		sopi_manifest_free(&manifest);
	} else {
		SOPI_CHECK(err.status == SOP_CORRUPT && err.message[0] != '\0');
	}
	free(bytes);
	return 0;
}
