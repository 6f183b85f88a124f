using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>Keeps our own copy of Identity's organisations.</summary>
internal sealed class FollowOrganisations(ConsumptionDb db) : IEventHandler<OrganisationChanged>
{
    public async Task HandleAsync(OrganisationChanged data, EventContext context, CancellationToken cancellationToken)
    {
        var state = JsonSerializer.Serialize(data, Json.Options);
        if (await db.Set<OrganisationRow>().FindAsync([data.OrganisationId], cancellationToken) is { } known)
        {
            known.State = state;
        }
        else
        {
            db.Add(new OrganisationRow { OrganisationId = data.OrganisationId, State = state });
        }
    }
}
