"""Common given names of the countries our customers write from; words, months and cities are left out on purpose."""

from __future__ import annotations

from typing import Final

_GIVEN: Final = """\
aaron abby abdul abdullah abigail adam adrian adriana adrien agata agathe agnes agneta agnieszka ahmad ahmed aidan aiden
aino aisha alain alan alana albert alberto alejandra alejandro aleksander aleksandra aleksi alena alessandra alessandro
alessio alex alexander alexandra alexandre alexei alexia alexis alfie alfonso alfred alfredo ali alicia alina aline
alisa alisha alison allen allie allison alma alvaro alyson alyssa amalia amanda amelia amelie amina amir amit amos amy
amélie ana anabel anastasia anastasiya anaïs anders andras andre andrea andreas andreea andrei andreia andrej andres
andrew andrzej andrás andré andrés andy anette angela angelica angelika angelina angelique angelo angie anibal anika
anita anja anke ann anna annabelle anne annelie anneliese annette annie annika anouk ansel anselm antero anthony antje
antoine antoinette anton antonella antonia antonio antti antónio anush anya ariana arianna ariel arjun arlene armando
armin arnaud arne arnold arthur arturo arvid asha asher ashlee ashleigh ashley astrid attila aubrey audrey aurelie
aurélie ava axel ayesha ayla aylin ayse ayşe balázs barbara barbora barry bastian bea beata beate beatrice beatriz becky
bela ben benedikt bengt benita benjamin benny benoit benoît berit bernadette bernard bernardo bernd bernhard bert
bertrand beth bethany bettina betty bianca billy birger birgit birgitta bjorn björn blake bob bobby bogdan bogusław
bonnie boris bożena brad braden bradley brandi brandon breanna brenda brenna brent brett brian brianna bridget brigitte
britney britt britta brittany brody brooke bruce bruno bryan bryce béla börje caden caitlin caitlyn caleb callum calvin
cameron camila camilla camille candice carey carina carl carla carlo carlos carlton carly carmela carmen carmine carola
carole carolin carolina caroline carsten cassidy catalina caterina catherine cathy catia cecil cecile cecilia cedric
cedrik celia celina celine celso cesar cesare chandra chantal charlene charles charlie charlotte chelsea chen cherie
cheryl chiara chloe chloé chris chrissy christa christelle christer christian christiane christina christine christoph
christophe christopher ciara cindy claire clara clarissa claudia claudio claus clayton clement clifford clint clyde
clément cody colette colin colleen connor conrad constance constantin cora cordula corey corina corinna corinne cornelia
courtney craig cristian cristiano cristina cristobal csaba curt curtis cynthia cyril cyrille czesław cécile cédric
céline césar dalia damian damien damon dana dania daniel daniela daniele danielle danny dante danuta daphne darcy daria
dario darius darla darlene darrell darren darryl dave david davide dawid debbie deborah debra deirdre delphine demetrius
denis denise dennis derek derrick desiree detlef devin dexter diana diane didier diego dieter dietmar dillon dimitri
dina dirk dmitri dmitry dolores domenico dominic dominik dominika dominique donald donatella donna donovan dora doreen
dorian doris dorota dorothea dorothy doug douglas doyle duarte duncan dustin dwayne dwight dylan dávid ebba eberhard
eddie edgar edison edith edmund eduard eduarda eduardo edward edwin eero efrain eileen einar eino elaine eleanor elena
eleonora eli elias elijah elin elina elisa elisabeth elise eliza elizabeth elke ella ellen ellie elliot elliott elmer
elodie eloise elsa elsie elva elvira elvis elżbieta emanuel emelie emerson emil emile emilia emiliano emilie emilio
emily emma emmanuel emmanuelle emmi emre endre enrico enrique enzo eric erica erich erick ericka erik erika erin erland
ernesto ernie erwin erzsébet esmeralda esperanza esra esteban estela estelle esther eszter ethan eugen eugene eugenia
eva evald evan evelyn ewa fabian fabiana fabien fabienne fabio fabrice fabrizio farah fatima fatma federica federico
felicia felicitas felipe felix ferdinand ferenc fergus fernanda fernando filip filipa filipe filippo finn fiona flavia
flavio florian floyd franca frances francesca francesco francine francis francisca francisco franck francois francoise
frank franz franziska françois françoise fred freddie freddy frederic frederick frederik fredrik frej frida frieda
friedrich fritz frédéric fábio fátima félix gabriel gabriela gabriele gabriella gabrielle gael gail galina gareth
garrett gary gaston gavin gayle gaël gemma gena geoff geoffrey geoffroy georg george georges georgina gerald geraldine
gerard gerardo gerd gerda gergely gerhard gerry ghislaine giacomo gianluca gianna gilbert gilberto gilles gina gino
giorgio giovanna giovanni gisela gisele giulia giuliana giulio giuseppe gladys glenda glenn gloria gonzalo goran gordon
graciela graeme graham grazia grażyna greg gregg gregor gregory greta griselda grzegorz grégory guadalupe gudrun guido
guillaume guillermo gunilla gunnar gunter gustaf gustav gustavo gwen gwendolyn gyula györgy gábor gérard göran gösta
günter günther hailey hajnalka hakan halina hamza hana hanna hannah hanne hannele hannes hans harald harold harriet
harry hartmut harvey hassan hazel heather hector hedda hedvig hedwig heidi heike heikki heiko heiner heinrich heinz
helen helena helene helga helge helmut henri henrietta henrik henrike henrique henry henryk herbert herman hermann
hernan hilary hilda hildegard hjalmar holger horst howard hubert hugh hugo hugues humberto håkan héctor hélène ian
ibrahim ida ignacio igor ilaria ildikó ilkka ilona ilse imogen imran imre ina ines inga inge ingeborg ingela inger
ingmar ingo ingrid ingvar inka inés inês irena irene irina irma irving isaac isabeau isabel isabela isabell isabella
isabelle isaiah ismael issac istván ivan ivana ivo iván iwona jaakko jacek jackie jaclyn jacob jacqueline jacques jaden
jadwiga jaime jakob jakub jamal james jameson jamie jana jane janelle janet janice janina janine janne jannik janusz
jared jarek jarkko jarmila jaroslav jaroslava jarosław jasmin jasmine jason javier jayden jayne jean-claude jean-luc
jean-marc jean-paul jean-pierre jeanette jeanne jeannie jeff jeffery jeffrey jelena jenna jennie jennifer jenny jens
jeremiah jeremy jermaine jeroen jerome jerry jerzy jesper jesse jessica jessie jill jillian jim jimmie jimmy jiri jiří
joachim joan joana joann joanna joanne joao jochen jodi jodie jody joe joel joelle joerg joey johan johann johanna
johannes john johnathan johnny jolanta jolene jon jonah jonas jonathan jonna jorge jorgen jorma jose josef josefin
josefina joseph josephine josh joshua josie josip josé jouni jovan joyce joão joël juan juana juanita judit judith judy
juha jukka jule jules julia julian juliana juliane julianna julie julien juliet julieta juliette julio julius jurgen
justin justina justine justyna jutta jános jérémy jérôme józef józsef jörg jörgen jörn júlia júlio jürgen kai kaisa
kaitlyn kalle kamil kamila kara karen karim karin karina karl karla karlheinz karsten kasia katalin katarina katarzyna
kate katelyn katelynn katerina kateřina katharina katherine kathleen kathrin kathryn kathy katia katie katja katrin
katrina kay kayla kazimierz keith kelli kelly kelsey kendall kendra kenneth kenny kerri kerry kerstin kevin khalid kim
kimberly kira kirk kirsten kirstin kjell klara klaus klára knut konrad konstantin krista kristen kristi kristian kristin
kristina kristine kristof kristopher krisztina krystal krystyna krzysztof kurt kyle kylie kálmán károly lacey lajos
landon lara larissa larry lars laszlo latasha latoya laura laure lauren laurence laurent laurie laverne lawrence layla
lea leah leandro leanne leena leif leila leland lena lennart leo leon leona leonard leonardo leonie leopold leroy leslie
lester leszek leticia levente lewis león liisa lila lilian liliana lillian lilly lily linda lindsay lindsey linnea
linnéa lionel lisa lise livia liza ljubica ljubomir lloyd logan lois lola lonnie lora loren lorena lorenz lorenzo
loretta lori lorraine lothar lotte lou louis louisa louise luc luca lucas lucia luciana luciano lucie lucien lucile
lucille lucy lucyna lucía ludovic ludwig luigi luis luisa luise luiz lukas lukasz luke luís lydia lydie lyle lynda
lynette lynn lászló léa maarten mabel maciej mackenzie maddison madeline madelyn magali magda magdalena magdolna maggie
magnus maija maike maja malcolm malik malin mallory manfred manon manuel manuela mara marc marcel marcela marcella
marcelo marcia marcin marco marcos marcus marek margaret margareta margarita margie margit margo margot maria mariah
mariam marian mariana marianna marianne marie marielle marija marilyn marina mario marion marisa marisol marissa marit
marius mariusz marja marjo marjorie markku marko markus marlene marlies marlon marsha marta martha marthe martin martina
martine martín marvin mary maryam maría mateo mateus mateusz mathew mathias mathieu mathilde matilda matt matteo matthew
matthias matthieu matti maureen maurice mauricio mauro mavis maxim maxime maximilian maxine małgorzata megan meghan
mehdi mehmet meike melanie melinda melissa melvin meredith mette mia micah michael michaela michal michał micheal michel
michele michelle mick miguel mihai mihály mika mikael mike mikhail mikkel mikko miklós mildred milena milica miloš
milton mina mindy minna minnie mira miranda mireille mirela miriam mirjam mirjana mirko mirosław mitchell mohamed
mohammad mohammed moira moises molly mona monica monika monique moritz morten muhammad muriel mustafa myra myriam myrna
myron mária mário márta mátyás mélanie mónica mónika nabil nadia nadine nadja nancy naomi natacha natalia natalie
natasha nathalie nathan nathaniel natália neal neil nele nellie nelson nenad nettie nevaeh nicholas nichole nick nicola
nicolas nicole nicoletta nicolás niels nigel niina nikita nikki niklas niko nikola nikolai nikolaus nils nina noah noel
noemi nolan nora norbert norma norman noémie noël nuno nándor octavio odile olaf oleg olga oliver olivia olivier olli
ollie olof omar ophelia orsolya oscar oskar osman oswald otto ottó paavo pablo paige pam pamela paola paolo pascal
pascale pasi patrice patricia patrick patrik patrizia patrícia patsy patti paul paula paulette paulina pauline paulo
pavel pavla pawel paweł payton pedro peggy pekka penelope pernille pete peter petr petra peyton phil philip philipp
philippa philippe phillip phoebe phyllis pia pierre pierrick pilar piotr pirjo piroska pontus predrag priscilla priya
przemysław péter quentin quincy rachael rachel rachid radek radka radosław radovan rafael rafaela rafal rafał raffaele
ragnar rainer raj rajesh ralf ralph ramon ramona ramón randal randall randi randolph randy raphael raphaël raquel rasmus
ratko raul ravi raymond raúl reagan rebecca rebekah regina reginald reijo reinhard reinhold remi renata renate renato
renaud rene renee rené renée reynaldo rhonda ricardo riccardo richard rick rickey ricky riikka rikke risto rita roald
robbie robert roberta roberto robin robyn rochelle roderick rodney rodolfo rodrigo roger roland rolf romain romina ron
ronald ronda ronja ronnie ronny rosa rosalie rosalind rosanna rosemarie rosemary rosie ross rostislav roswitha roxana
roxane roxanne roy rozália ruben rubén rudi rudolf rudolph rudy rui runar rupert russell ruth ryan ryder ryszard régine
régis rémi rémy róbert růžena saara sabine sabrina sadie sally salvador salvatore sam samantha samir samira sammy samuel
sandra sandrine sandro sandy sanja sanjay sanna santiago sara sarah sascha sasha saskia satu scarlett scott sean
sebastian sebastiano sebastien sebastián seija selena selina selma serena serge sergei sergey sergio severine shane
shannon shari sharon shaun shauna shawn shawna sheena sheila sheldon shelia shelley shelly sheri sherman sherri sherry
sheryl shirley sidney siegfried sigrid sigurd silke silvia simon simona simone simonetta sirpa sissel siv slobodan
snežana sofia sofie sofía solange solomon solveig solène sonia sonja sonya sophia sophie srđan stacey stacy stanislav
stanislava stanislaw stanisław stanko stanley stefan stefania stefanie stefano steffen stella stephan stephane stephanie
stephen steve steven stig stina stuart sture stéphane stéphanie sune sunita susan susana susanna susanne susi susie
suzanne sven svend svenja svetlana sylvain sylvester sylvia sylvie sylwia szabolcs szilvia szymon sándor sébastien
sérgio séverine sílvia sónia søren sławomir tabitha tadeusz tamara tami tammy tamra tamás tania tanja tanya tapani tapio
tara tarja tasha tatiana tatjana ted teemu teodora terence teresa tereza terhi teri terje terrance terrence terri terry
tess tessa thea thelma theo theodor theodore theresa thibault thierry thilo thomas thorsten théo thérèse tiago tibor
tiffany tijana tilman tim timmy timo timothy tina tobias toby todd tom tomas tomasz tommaso tommy tomás tomáš toni tonia
tony tonya torben torsten tove tracey traci tracie tracy trevor tricia trina trine tristan trond trudy tuomas tuula tuva
tyler tyrone tünde udo ulf uli ulla ulrich ulrika ulrike umberto ursula urszula ute uwe vaclav valentin valentina
valentine valeria valerie valérie vanessa velma vera verena vernon veronica veronika veronique verónica vesna vicente
vicki vickie vicky victor victoria vidar viktor viktoria viktória vilmos vincent vincenzo viola violette virgil virginie
virpi virág viveka vivian viviana viviane višnja vladimir vladimír vlastimil vojtěch volker václav véronique víctor
walid walter waltraud wanda wendell wendy wenzel werner wesley wiesław wilbur wilfred wilfried wilhelm willard willem
william willie wilma winfried winifred winston witold wojciech wolfgang władysław xavier yann yannick yara yasmin
yesenia yolanda youssef yusuf yves yvette yvonne zachary zara zbigniew zdenek zdeněk zdzisław zoe zoey zofia zoltan
zoltán zoran zoé zsolt zsuzsanna zsófia zuzana álvaro åke åsa élodie émile émilie éva óscar øyvind łukasz željko
"""
GIVEN: Final = frozenset(_GIVEN.casefold().split())
