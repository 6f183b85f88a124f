using LlmMarketplace.Identity.Access;

namespace LlmMarketplace.Identity.Clients;

internal static class ClientRoutes
{
    public static void MapClients(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/v1/clients").WithTags("Clients").RequireStanding();
        group.MapPost("/", CreateClient.HandleAsync).WithName("CreateClient").WithSummary("Makes a machine client. Its secret is shown in this answer only.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        group.MapGet("/", ListClients.HandleAsync).WithName("ListClients").WithSummary("Lists machine clients: all for the operator's roles, those of one's organisation for everybody else.");
        group.MapPost("/{id}/secret", RotateClientSecret.HandleAsync).WithName("RotateClientSecret").WithSummary("Gives a client a new secret, shown in this answer only; the old one ends at once.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        group.MapDelete("/{id}", DeleteClient.HandleAsync).WithName("DeleteClient").WithSummary("Deletes a client.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
    }
}
