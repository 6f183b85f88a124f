using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Organisations;

internal static class OrganisationRoutes
{
    public static void MapOrganisations(this IEndpointRouteBuilder app)
    {
        var everyone = app.MapGroup("/api/v1/organisations").WithTags("Organisations").RequireStanding();
        everyone.MapGet("/", ListOrganisations.HandleAsync).WithName("ListOrganisations").WithSummary("Lists organisations: all for the operator's roles, one's own for everybody else. `slug` finds one.");
        everyone.MapGet("/{id:guid}", GetOrganisation.HandleAsync).WithName("GetOrganisation").WithSummary("Reads an organisation; the ETag is its version.").ProducesProblem(StatusCodes.Status404NotFound);

        var administrators = app.MapGroup("/api/v1/organisations").WithTags("Organisations").RequireStanding(Roles.Admin);
        administrators.MapPost("/", CreateOrganisation.HandleAsync).WithName("CreateOrganisation").WithSummary("Makes an organisation. Its slug never changes.").ProducesProblem(StatusCodes.Status409Conflict);
        administrators.MapPatch("/{id:guid}", ChangeOrganisation.HandleAsync).WithName("ChangeOrganisation").WithSummary("Changes name, clearance, tier or status; honours If-Match.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status412PreconditionFailed);
    }

    /// <summary>The strong ETag of a version.</summary>
    public static string ETag(long version) => $"\"{version}\"";
}
