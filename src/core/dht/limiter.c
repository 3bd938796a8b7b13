/* How much we answer. */
#include "core/dht/limiter.h"

#include "base/map.h"

void dht_limiter_init(struct dht_limiter *l, uint64_t salt)
{
    l->salt = salt;
    bucket_init(&l->bytes, DHT_LIMIT_BYTES, 0);
    for (size_t i = 0; i < DHT_LIMIT_PLACES; i++) {
        bucket_init(&l->places[i], DHT_LIMIT_PER_PLACE, 0);
    }
}

bool dht_limiter_admits(struct dht_limiter *l, const struct addr *from,
                        uint64_t now_ms)
{
    uint64_t key[2] = {l->salt, dht_place_of(from)};
    struct bucket *place =
        &l->places[map_hash(key, sizeof key) % DHT_LIMIT_PLACES];

    if (bucket_available(&l->bytes, now_ms) == 0 ||
        bucket_available(place, now_ms) == 0) {
        return false;
    }
    bucket_take(place, 1);
    return true;
}

void dht_limiter_count(struct dht_limiter *l, size_t len)
{
    bucket_take(&l->bytes, len);
}
