using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Organisations;

internal static class OrganisationRoutes
{
    public static void MapOrganisations(this IEndpointRouteBuilder app)
    {
        var everyone = app.MapGroup("/api/v1/organisations").WithTags("Organisations").RequireStanding();
        everyone.MapGet("/", ListOrganisations.HandleAsync).WithName("ListOrganisations");
        everyone.MapGet("/{id:guid}", GetOrganisation.HandleAsync).WithName("GetOrganisation");

        var administrators = app.MapGroup("/api/v1/organisations").WithTags("Organisations").RequireStanding(Roles.Admin);
        administrators.MapPost("/", CreateOrganisation.HandleAsync).WithName("CreateOrganisation");
        administrators.MapPatch("/{id:guid}", ChangeOrganisation.HandleAsync).WithName("ChangeOrganisation");
    }

    /// <summary>The strong ETag of a version.</summary>
    public static string ETag(long version) => $"\"{version}\"";
}
