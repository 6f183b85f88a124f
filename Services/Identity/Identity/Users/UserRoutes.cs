using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Memberships;

namespace LlmMarketplace.Identity.Users;

internal static class UserRoutes
{
    public static void MapUsers(this IEndpointRouteBuilder app)
    {
        var readers = app.MapGroup("/api/v1/users").WithTags("Users").RequireStanding(Roles.Admin, Roles.Auditor);
        readers.MapGet("/", ListUsers.HandleAsync).WithName("ListUsers").WithSummary("Lists users; `email` finds one.");
        readers.MapGet("/{id:guid}", GetUser.HandleAsync).WithName("GetUser").WithSummary("Reads a user with their memberships.").ProducesProblem(StatusCodes.Status404NotFound);

        var administrators = app.MapGroup("/api/v1/users").WithTags("Users").RequireStanding(Roles.Admin);
        administrators.MapPost("/", CreateUser.HandleAsync).WithName("CreateUser").WithSummary("Makes a user. They can do nothing until a membership is given.").ProducesProblem(StatusCodes.Status409Conflict);
        administrators.MapPatch("/{id:guid}", ChangeUser.HandleAsync).WithName("ChangeUser").WithSummary("Changes the name; locks or unlocks.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        administrators.MapPost("/{id:guid}/password", ResetPassword.HandleAsync).WithName("ResetPassword").WithSummary("Gives a user a new password and ends their sessions.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        administrators.MapPut("/{id:guid}/memberships/{organisationId:guid}", PutMembership.HandleAsync).WithName("PutMembership").WithSummary("Gives a user their roles in an organisation.").ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        administrators.MapDelete("/{id:guid}/memberships/{organisationId:guid}", DeleteMembership.HandleAsync).WithName("DeleteMembership").WithSummary("Takes a user's roles in an organisation.").ProducesProblem(StatusCodes.Status409Conflict);

        var self = app.MapGroup("/api/v1/me").WithTags("Users").RequireStanding();
        self.MapGet("/", GetMe.HandleAsync).WithName("GetMe").WithSummary("Says who the token stands for.");
        self.MapPost("/password", ChangeOwnPassword.HandleAsync).WithName("ChangeOwnPassword").WithSummary("Changes one's own password and ends one's sessions.").ProducesProblem(StatusCodes.Status409Conflict);
    }
}
