using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;

namespace LlmMarketplace.Publishing.Organisations;

/// <summary>Keeps <see cref="KnownOrganisation"/> as Identity tells it.</summary>
internal sealed class ApplyOrganisationChanged(PublishingDb db) : IEventHandler<OrganisationChanged>
{
    public async Task HandleAsync(OrganisationChanged data, EventContext context, CancellationToken cancellationToken)
    {
        if (await db.Organisations.FindAsync([data.OrganisationId], cancellationToken).ConfigureAwait(false) is not { } known)
        {
            db.Organisations.Add(new KnownOrganisation { Id = data.OrganisationId, Slug = data.Slug, Status = data.Status });
            return;
        }

        known.Slug = data.Slug;
        known.Status = data.Status;
    }
}
