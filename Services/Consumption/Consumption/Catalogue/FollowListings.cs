using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>Keeps our own copy of Publishing's listings.</summary>
internal sealed class FollowListings(ConsumptionDb db) : IEventHandler<ListingChanged>
{
    public async Task HandleAsync(ListingChanged data, EventContext context, CancellationToken cancellationToken)
    {
        _ = new Listing(data); // What calls cannot read must not be stored: it goes to the dead letters.
        var state = JsonSerializer.Serialize(data, Json.Options);
        if (await db.Set<ListingRow>().FindAsync([data.ListingId], cancellationToken) is { } known)
        {
            known.State = state;
        }
        else
        {
            db.Add(new ListingRow { ListingId = data.ListingId, State = state });
        }
    }
}
