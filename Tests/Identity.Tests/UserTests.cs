namespace LlmMarketplace.Identity.Tests;

public sealed class UserTests(SharedIdentity shared)
{
    private const string Password = "long enough password";

    [Theory]
    [InlineData("no address", Password, "invalid_email")]
    [InlineData("a@b.test", "elevenchars", "invalid_password")]
    [InlineData("a@b.test", null, "invalid_password")]
    public async Task What_cannot_be_taken_is_said(string email, string? password, string code)
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();

        (await admin.PostAsync("/api/v1/users", new { email, password })).ExpectProblem(400, code);
    }

    [Fact]
    public async Task A_password_is_strong_by_its_length_whatever_it_is_made_of()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();

        (await admin.PostAsync("/api/v1/users", new { email = Unique.Email(), password = "all lower case" })).Expect(201);
    }

    [Fact]
    public async Task An_address_has_one_account()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();
        var email = Unique.Email();
        var id = await admin.UserAsync(email, Password);

        (await admin.PostAsync("/api/v1/users", new { email = email.ToUpperInvariant(), password = Password })).ExpectProblem(409, "email_taken");
        var found = (await admin.GetAsync($"/api/v1/users?email={email.ToUpperInvariant()}")).Expect(200).Body.GetProperty("items");
        Assert.Equal(id, Assert.Single(found.EnumerateArray()).GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task A_locked_person_is_kept_out_until_unlocked()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var organisation = await admin.OrganisationAsync(Unique.Slug());
        var email = Unique.Email();
        var id = await admin.UserAsync(email, Password, (organisation, ["consumer"]));
        var browser = new Browser(app);
        await browser.TokenAsync(email, Password);

        (await admin.PatchAsync($"/api/v1/users/{id}", new { locked = true })).Expect(200);
        await browser.GoAsync(browser.AuthorizeAddress());
        Assert.Null(browser.Left); // The session has ended.
        await browser.SignInAsync(email, Password);
        Assert.Null(browser.Left);

        Assert.False((await admin.PatchAsync($"/api/v1/users/{id}", new { locked = false })).Expect(200).Body.GetProperty("locked").GetBoolean());
        await browser.GoAsync(browser.AuthorizeAddress());
        await browser.SignInAsync(email, Password);
        Assert.NotNull(browser.LeftWith("code"));
    }

    [Fact]
    public async Task A_reset_password_replaces_the_old_one_and_ends_sessions()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var organisation = await admin.OrganisationAsync(Unique.Slug());
        var email = Unique.Email();
        var id = await admin.UserAsync(email, Password, (organisation, ["consumer"]));
        var browser = new Browser(app);
        await browser.TokenAsync(email, Password);

        (await admin.PostAsync($"/api/v1/users/{id}/password", new { password = "short" })).ExpectProblem(400, "invalid_password");
        (await admin.PostAsync($"/api/v1/users/{id}/password", new { password = "quite another one" })).Expect(204);

        await browser.GoAsync(browser.AuthorizeAddress());
        Assert.Null(browser.Left);
        await browser.SignInAsync(email, Password);
        Assert.Null(browser.Left);
        await browser.SignInAsync(email, "quite another one");
        Assert.NotNull(browser.LeftWith("code"));
    }

    [Fact]
    public async Task A_person_changes_their_password_with_the_present_one()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var person = await OrganisationTests.MemberAsync(app, admin, await admin.OrganisationAsync(Unique.Slug()), "consumer");
        var me = (await person.GetAsync("/api/v1/me")).Expect(200).Body;

        (await person.PostAsync("/api/v1/me/password", new { currentPassword = "not this one at all", newPassword = "quite another one" })).ExpectProblem(403, "wrong_password");
        (await person.PostAsync("/api/v1/me/password", new { currentPassword = Password, newPassword = "quite another one" })).Expect(204);

        Assert.Equal(200, (await new Browser(app).TokenAsync(me.GetProperty("email").GetString()!, "quite another one")).Status);
        (await admin.PostAsync("/api/v1/me/password", new { currentPassword = Password, newPassword = "quite another one" })).ExpectProblem(403, "not_a_person");
    }

    [Fact]
    public async Task Guessing_a_password_with_a_stolen_token_locks_the_account_out()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var person = await OrganisationTests.MemberAsync(app, admin, await admin.OrganisationAsync(Unique.Slug()), "consumer");

        for (var attempt = 0; attempt < 5; attempt++)
        {
            (await person.PostAsync("/api/v1/me/password", new { currentPassword = "a guess that is wrong", newPassword = "quite another one" })).ExpectProblem(403, "wrong_password");
        }

        (await person.PostAsync("/api/v1/me/password", new { currentPassword = Password, newPassword = "quite another one" })).ExpectProblem(403, "wrong_password");
    }

    [Fact]
    public async Task Unknown_users_and_organisations_are_not_found()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();
        var (nobody, user) = (Guid.CreateVersion7(), await admin.UserAsync(Unique.Email(), Password));

        (await admin.GetAsync($"/api/v1/users/{nobody}")).ExpectProblem(404, "not_found");
        (await admin.PatchAsync($"/api/v1/users/{nobody}", new { locked = true })).ExpectProblem(404, "not_found");
        (await admin.PostAsync($"/api/v1/users/{nobody}/password", new { password = Password })).ExpectProblem(404, "not_found");
        (await admin.PutAsync($"/api/v1/users/{user}/memberships/{nobody}", new { roles = new[] { "consumer" } })).ExpectProblem(404, "not_found");
        (await admin.PutAsync($"/api/v1/users/{nobody}/memberships/{await admin.OperatorAsync()}", new { roles = new[] { "consumer" } })).ExpectProblem(404, "not_found");
    }
}
