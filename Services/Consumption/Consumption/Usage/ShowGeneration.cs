using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Metering;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Usage;

/// <summary><c>GET /v1/generations/{id}</c>: the record of one call by its <c>x-request-id</c>, for the key that made it.</summary>
internal static class ShowGeneration
{
    public static async Task HandleAsync(HttpContext http, Guid id, KeyCheck keys, ConsumptionDb db, TimeProvider time)
    {
        CallAnswers.SetRequestId(http, Guid.CreateVersion7(time.GetUtcNow()));
        var (key, _, refusal) = keys.Check(http.Request);
        if (refusal is not null)
        {
            await CallAnswers.RefuseAsync(http, refusal);
            return;
        }

        var record = await db.Set<UsageRecord>().AsNoTracking().SingleOrDefaultAsync(one => one.RequestId == id && one.KeyId == key!.Id, http.RequestAborted);
        await (record is null
            ? CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.NoSuchCall))
            : CallAnswers.WriteJsonAsync(http, ListRecords.Of(record)));
    }
}
