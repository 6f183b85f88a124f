using LlmMarketplace.Entitlement;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>Keeps what visibility and prices depend on: an organisation's clearance, tier and status.</summary>
internal sealed class ApplyOrganisation(DiscoveryContext database) : IEventHandler<OrganisationChanged>
{
    public async Task HandleAsync(OrganisationChanged data, EventContext context, CancellationToken cancellationToken)
    {
        var row = await database.Organisations.FindAsync([data.OrganisationId], cancellationToken);
        if (row is null)
        {
            row = new OrganisationRow { OrganisationId = data.OrganisationId, Slug = data.Slug, Name = data.Name, Tier = "" };
            database.Organisations.Add(row);
        }
        else if (row.Version >= context.AggregateVersion)
        {
            return;
        }

        row.Slug = data.Slug;
        row.Name = data.Name;
        row.Clearance = Enum.Parse<ClearanceLevel>(data.Clearance.ToString());
        row.Tier = Wire<OrganisationTier>.Name(data.Tier);
        row.Active = data.Status == OrganisationStatus.Active;
        row.Version = context.AggregateVersion;
    }
}
