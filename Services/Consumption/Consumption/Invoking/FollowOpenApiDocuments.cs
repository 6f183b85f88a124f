using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>Keeps our own copy of the OpenAPI documents of services of the protocol <c>rest</c>.</summary>
internal sealed class FollowOpenApiDocuments(ConsumptionDb db) : IEventHandler<OpenApiDocumentPublished>
{
    public async Task HandleAsync(OpenApiDocumentPublished data, EventContext context, CancellationToken cancellationToken)
    {
        _ = RestApi.Read(data.Document); // What calls cannot read must not be stored: it goes to the dead letters.
        if (await db.Set<OpenApiDocumentRow>().FindAsync([data.VersionId], cancellationToken) is null)
        {
            db.Add(new OpenApiDocumentRow { VersionId = data.VersionId, Document = data.Document });
        }
    }
}
