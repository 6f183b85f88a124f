using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Organisations;

/// <summary>GET /api/v1/organisations/{id}.</summary>
internal static class GetOrganisation
{
    public static async Task<Results<Ok<OrganisationView>, StatusCodeHttpResult, ProblemHttpResult>> HandleAsync(
        Guid id, HttpContext context, Caller caller, IdentityDb db, CancellationToken cancellationToken)
    {
        var organisation = caller.SeesEverything || caller.OrganisationId == id
            ? await db.Organisations.AsNoTracking().SingleOrDefaultAsync(o => o.Id == id, cancellationToken).ConfigureAwait(false)
            : null;
        if (organisation is null)
        {
            return Problems.NotFound("The organisation");
        }

        var etag = OrganisationRoutes.ETag(organisation.Version);
        context.Response.Headers.ETag = etag;
        return context.Request.Headers.IfNoneMatch.Contains(etag)
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Ok(OrganisationView.Of(organisation));
    }
}
